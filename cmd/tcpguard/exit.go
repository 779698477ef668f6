package main

import (
	"errors"
	"io/fs"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/internal/view"
	"github.com/tcpguard/tcpguard/sysctl"
)

// The exit codes.
const (
	exitDone           = 0
	exitError          = 1
	exitPending        = 2
	exitInvalid        = 3
	exitRolledBack     = 4
	exitRefused        = 5
	exitPermission     = 6
	exitFeature        = 7
	exitRollbackFailed = 8
	exitUsage          = 64
	exitInterrupted    = 130
)

// exitCodes is what the manual says of each, and the name that JSON gives it.
var exitCodes = []struct {
	code          int
	kind, meaning string
}{
	{exitDone, "done", "done, or nothing to do"},
	{exitError, "error", "a runtime error"},
	{exitPending, "pending", "changes or drift are pending; only with --detailed-exitcode, and with fmt --check; or a requirement of drill is not met"},
	{exitInvalid, "invalid_policy", "the policy is not valid; nothing was applied"},
	{exitRolledBack, "rolled_back", "the apply failed and the state of before is in force again"},
	{exitRefused, "refused", "refused: stale plan, lock held, or nobody to ask"},
	{exitPermission, "not_permitted", "not permitted; the missing capability is named"},
	{exitFeature, "missing_feature", "the kernel lacks a feature; it is named, with the version that has it"},
	{exitRollbackFailed, "rollback_failed", "putting the state of before back failed too"},
	{exitUsage, "usage", "the command line is not understood"},
	{exitInterrupted, "interrupted", "interrupted"},
}

// kindOf names an exit code.
func kindOf(code int) string {
	for _, c := range exitCodes {
		if c.code == code {
			return c.kind
		}
	}
	return "error"
}

// errPending ends a command with exit code 2 and no message: what it printed says it all.
var errPending = errors.New("changes are pending")

// problem is an error that knows its exit code and what to do about it.
type problem struct {
	code int
	err  error
	hint string
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// failure says which exit code an error has and what to tell. The outcome of a failed apply outranks its cause: what
// matters first is what state the host is in.
func failure(err error) view.Failure {
	var (
		own            *problem
		rolledBack     *reconcile.ErrRolledBack
		rollbackFailed *reconcile.ErrRollbackFailed
		refused        *reconcile.ErrRefused
		permission     *reconcile.ErrPermission
		feature        *reconcile.ErrFeature
		cannotCompile  *enforcer.CompileError
		cannotSet      *sysctl.SettingError
	)
	f := view.Failure{ExitCode: exitError, Message: err.Error()}
	switch {
	case errors.As(err, &rollbackFailed):
		f.ExitCode, f.Hint = exitRollbackFailed, "run `tcpguard apply` again once the cause is mended, or `tcpguard destroy` to remove everything"
	case errors.As(err, &rolledBack):
		f.ExitCode, f.Hint = exitRolledBack, "mend the cause and apply again; `tcpguard plan` shows what is pending"
	case errors.As(err, &own):
		f.ExitCode, f.Hint = own.code, own.hint
	case errors.As(err, &refused):
		f.ExitCode, f.Hint = exitRefused, "nothing was changed; run the command again, with --lock-timeout to wait for another apply"
	case errors.As(err, &permission):
		f.ExitCode, f.Hint = exitPermission, "run it as root (sudo), or grant "+permission.Capability
	case errors.As(err, &feature):
		f.ExitCode, f.Hint = exitFeature, "load the kernel module or use a newer kernel, or leave out what needs it"
	case errors.As(err, &cannotCompile), errors.As(err, &cannotSet):
		f.ExitCode, f.Hint = exitInvalid, "nothing was changed; mend the policy at the place named"
	case errors.Is(err, fs.ErrPermission):
		f.ExitCode, f.Hint = exitPermission, "run it as root (sudo)"
	}
	f.Kind = kindOf(f.ExitCode)
	return f
}
