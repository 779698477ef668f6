package main

import (
	"os"
	"testing"

	"github.com/tcpguard/tcpguard/internal/reconcile"
)

// TestStrictTakesWarningsOfTheHostForErrors is about warnings that only a plan can have, such as a short backlog.
func TestStrictTakesWarningsOfTheHostForErrors(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	quiet := &reconcile.Plan{}
	warned := &reconcile.Plan{Warnings: []reconcile.Warning{{Summary: "a backlog of 128"}}}
	tests := []struct {
		name   string
		strict bool
		plan   *reconcile.Plan
		code   int
	}{
		{"no warning", true, quiet, exitDone},
		{"a warning", false, warned, exitDone},
		{"a warning with --strict", true, warned, exitInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{stdout: null, stderr: null, getenv: func(string) (string, bool) { return "", false }}
			a.root = a.rootCommand()
			a.flags.strict = tt.strict
			code := exitDone
			if err := a.showPlan(tt.plan); err != nil {
				code = failure(err).ExitCode
			}
			if code != tt.code {
				t.Errorf("exit code is %d, want %d", code, tt.code)
			}
		})
	}
}
