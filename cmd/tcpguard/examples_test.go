package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryExampleIsApplied keeps an example from being added without the script that applies it.
func TestEveryExampleIsApplied(t *testing.T) {
	script, err := os.ReadFile("testdata/script/examples.txtar")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob("../../examples/policies/*.hcl")
	if err != nil || len(examples) < 5 {
		t.Fatalf("examples are %q (%v), want at least five", examples, err)
	}
	for _, e := range examples {
		for _, command := range []string{"validate --strict", "apply --auto-approve", "plan --detailed-exitcode"} {
			want := "code 0 " + command + " --policy $EXAMPLES/" + filepath.Base(e) + "\n"
			if !strings.Contains(string(script), want) {
				t.Errorf("examples.txtar does not say %q", want)
			}
		}
		text, err := os.ReadFile(e)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > 80 {
			t.Errorf("%s has %d lines: an example fits two screens", e, n)
		}
	}
}

// TestExamplesAreFormatted holds the examples to what fmt makes of them.
func TestExamplesAreFormatted(t *testing.T) {
	files, err := hclFiles([]string{"../../examples/policies"})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv}
	a.root = a.rootCommand()
	for _, name := range files {
		source, err := readFile(name)
		if err != nil {
			t.Fatal(err)
		}
		formatted, err := a.format(name, source)
		if err != nil {
			t.Fatal(err)
		}
		if string(formatted) != string(source) {
			t.Errorf("%s is not in canonical form: run tcpguard fmt", name)
		}
	}
}
