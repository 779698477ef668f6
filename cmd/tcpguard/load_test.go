package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

// TestMissingDefaultDirectory is about whoever runs tcpguard for the first time: no file is missing, there is none yet.
func TestMissingDefaultDirectory(t *testing.T) {
	if _, err := os.Stat(defaultPolicies); !errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is there", defaultPolicies)
	}
	a := &app{}
	a.flags.policies = []string{defaultPolicies}
	f := failure(a.checkDefaultPolicies())
	if f.ExitCode != exitInvalid || !strings.Contains(f.Message, defaultPolicies) || !strings.Contains(f.Hint, "--policy") {
		t.Errorf("got %+v", f)
	}
	// A path that somebody named is reported as it is.
	a.flags.policies = []string{"/nonexistent"}
	if err := a.checkDefaultPolicies(); err != nil {
		t.Errorf("a named path gives %v", err)
	}
}

func TestSplitVars(t *testing.T) {
	vars, err := splitVars([]string{"a=1", "b=x=y", "a=2", "c="})
	if err != nil || len(vars) != 3 || vars["a"] != "2" || vars["b"] != "x=y" || vars["c"] != "" {
		t.Errorf("got %q, %v", vars, err)
	}
	for _, bad := range []string{"a", "=1", ""} {
		if _, err := splitVars([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestJudge(t *testing.T) {
	warning, mistake := policy.Diagnostic{Severity: policy.SeverityWarning}, policy.Diagnostic{Severity: policy.SeverityError}
	tests := []struct {
		name   string
		diags  policy.Diagnostics
		strict bool
		want   string
	}{
		{"nothing", nil, true, ""},
		{"a warning", policy.Diagnostics{warning}, false, ""},
		{"a warning, strictly", policy.Diagnostics{warning}, true, "the policy has 1 warning, and --strict takes warnings for errors"},
		{"errors", policy.Diagnostics{mistake, warning, mistake}, false, "the policy has 2 errors"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{}
			a.flags.strict = tt.strict
			got := ""
			if err := a.judge(tt.diags); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
