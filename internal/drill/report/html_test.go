package report

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// recorded is a real drill.
func recorded(t *testing.T) *Document {
	t.Helper()
	text, err := os.ReadFile("testdata/drill.json")
	if err != nil {
		t.Fatal(err)
	}
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestPageIsSelfContained(t *testing.T) {
	var b strings.Builder
	if err := recorded(t).WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	if path := os.Getenv("DRILL_PAGE"); path != "" {
		os.WriteFile(path, []byte(b.String()), 0o644)
	}
}
