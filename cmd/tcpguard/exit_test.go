package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/sysctl"
)

func TestEveryErrorHasItsExitCode(t *testing.T) {
	cause := errors.New("cause")
	tests := []struct {
		name string
		err  error
		code int
		kind string
		hint string // part of it
	}{
		{"anything else", cause, 1, "error", ""},
		{"a policy the kernel cannot hold", &enforcer.CompileError{Reason: "r"}, 3, "invalid_policy", "mend the policy"},
		{"a sysctl that cannot be set here", &sysctl.SettingError{Text: "t"}, 3, "invalid_policy", "mend the policy"},
		{"put back", &reconcile.ErrRolledBack{Err: cause}, 4, "rolled_back", "apply again"},
		{"put back, for want of permission", &reconcile.ErrRolledBack{Err: &reconcile.ErrPermission{Err: cause}}, 4, "rolled_back", "apply again"},
		{"refused", &reconcile.ErrRefused{Err: cause}, 5, "refused", "--lock-timeout"},
		{"not permitted", &reconcile.ErrPermission{Capability: "CAP_NET_ADMIN", Err: cause}, 6, "not_permitted", "grant CAP_NET_ADMIN"},
		{"a file that is not ours", &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}, 6, "not_permitted", "root"},
		{"not in this kernel", &reconcile.ErrFeature{Feature: "f", Err: cause}, 7, "missing_feature", "newer kernel"},
		{"not even put back", &reconcile.ErrRollbackFailed{Err: &reconcile.ErrRolledBack{Err: cause}, Undo: cause}, 8, "rollback_failed", "tcpguard destroy"},
		{"usage", usage("h", "u"), 64, "usage", "h"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := failure(fmt.Errorf("wrapped: %w", tt.err))
			if f.ExitCode != tt.code || f.Kind != tt.kind || !strings.Contains(f.Hint, tt.hint) {
				t.Errorf("got %d %s, hint %q; want %d %s, hint with %q", f.ExitCode, f.Kind, f.Hint, tt.code, tt.kind, tt.hint)
			}
			if !strings.HasPrefix(f.Message, "wrapped: ") {
				t.Errorf("the message is %q", f.Message)
			}
		})
	}
}
