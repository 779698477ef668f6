package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestManPagesAreCurrent compares man/ with what the command table says.
func TestManPagesAreCurrent(t *testing.T) {
	pages := manPages((&app{}).rootCommand())
	if len(pages) != 12 {
		t.Errorf("%d pages, want one for tcpguard and one for each of its 11 commands", len(pages))
	}
	for name, page := range pages {
		have, err := os.ReadFile(filepath.Join("../../man", name))
		if err != nil || string(have) != page {
			t.Errorf("man/%s is not current (%v): run make man", name, err)
		}
	}
	files, err := filepath.Glob("../../man/*.1")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(pages) {
		t.Errorf("man/ has %d pages, want %d: %q", len(files), len(pages), files)
	}
}

func TestManPagesNameWhatThereIs(t *testing.T) {
	pages := manPages((&app{}).rootCommand())
	for name, wants := range map[string][]string{
		"tcpguard.1":       {`.TH TCPGUARD 1`, `\fB\-\-policy\fR \fIPATH\fR`, "TCPGUARD_SYSCTL_ROOT", "\\fB130\\fR\ninterrupted"},
		"tcpguard-apply.1": {`\fB\-\-lock\-timeout\fR \fI30s\fR`, "TCPGUARD_AUTO_APPROVE", ".SH EXAMPLES"},
	} {
		for _, want := range wants {
			if !strings.Contains(pages[name], want) {
				t.Errorf("%s lacks %q:\n%s", name, want, pages[name])
			}
		}
	}
}

func TestRoffEscapes(t *testing.T) {
	const in, want = ".SH a\\b\n'c -d", "\\&.SH a\\eb\n\\&'c \\-d"
	if got := escape(in); got != want {
		t.Errorf("escape(%q) is %q, want %q", in, got, want)
	}
}
