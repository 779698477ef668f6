package main

import (
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	pass := `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	skip := func(reason string) string {
		return `{"Action":"output","Package":"p","Test":"TestS","Output":"    s_test.go:7: ` + reason + `\n"}` + "\n" +
			`{"Action":"skip","Package":"p","Test":"TestS"}` + "\n"
	}
	fail := `{"Action":"output","Package":"p","Test":"TestF","Output":"got 1, want 2\n"}` + "\n" +
		`{"Action":"fail","Package":"p","Test":"TestF"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n"

	tests := []struct {
		name  string
		in    string
		root  bool
		ok    bool
		close string
		shown string // also somewhere in the output
	}{
		{"all pass", pass + pass, true, true, "2 passed, 0 failed, 0 skipped", ""},
		{"a failure is shown and counted once", pass + fail, true, false, "1 passed, 1 failed, 0 skipped", "got 1, want 2"},
		{"anybody may skip for another reason", pass + skip("no IPv6 here"), true, true, "1 passed, 0 failed, 1 skipped", ""},
		{"root may not skip what it can run", pass + skip("needs root"), true, false, "1 passed, 0 failed, 1 skipped", "p TestS: needs root"},
		{"others may", pass + skip("needs root"), false, true, "1 passed, 0 failed, 1 skipped", ""},
		{
			"a package that does not build is a failure",
			`{"ImportPath":"p","Action":"build-output","Output":"x.go:1: undefined: y\n"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n",
			true, false, "0 passed, 1 failed, 0 skipped", "undefined: y",
		},
		{"no test at all is a failure", "", true, false, "0 passed, 1 failed, 0 skipped", "no test ran"},
		{"what is not an event is passed on", "go: cannot find module\n" + pass, true, true, "1 passed, 0 failed, 0 skipped", "go: cannot find module"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			s, err := summarize(strings.NewReader(tt.in), &out, tt.root)
			if err != nil {
				t.Fatal(err)
			}
			if s.ok() != tt.ok {
				t.Errorf("ok is %v, want %v\n%s", s.ok(), tt.ok, &out)
			}
			if !strings.HasSuffix(out.String(), tt.close+"\n") {
				t.Errorf("closes with %q, want %q", out.String(), tt.close)
			}
			if !strings.Contains(out.String(), tt.shown) {
				t.Errorf("output lacks %q:\n%s", tt.shown, &out)
			}
		})
	}
}
