package reconcile

import (
	"fmt"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// ErrRefused is returned when nothing was touched because going on could surprise: another apply holds the lock, the
// plan is not about this state any more, other programs keep changing nftables. The command line exits 5.
type ErrRefused struct{ Err error }

// ErrRolledBack is returned when a step failed and the state of before is in force again, verified. Exit 4.
type ErrRolledBack struct{ Err error }

// ErrRollbackFailed is returned when a step failed and putting the state of before back failed too: the host holds
// neither the declared nor the former state. Exit 8.
type ErrRollbackFailed struct {
	Err  error // the failure that asked for the rollback
	Undo error // what stopped the rollback
}

// ErrPermission is returned when this process may not do what is needed; Capability names what it lacks. Exit 6.
type ErrPermission struct {
	Capability string // "CAP_NET_ADMIN"
	Err        error
}

// ErrFeature is returned when this kernel lacks something the policy needs. Exit 7.
type ErrFeature struct {
	Feature string // "connection_limit (nft_connlimit)"
	Minimum string // the kernel version that has it, "" when it is a matter of configuration
	Err     error
}

func (e *ErrRefused) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ErrRefused) Unwrap() error { return e.Err }

func (e *ErrRolledBack) Error() string {
	return e.Err.Error() + "; the state of before is in force again and was verified"
}

// Unwrap gives the cause.
func (e *ErrRolledBack) Unwrap() error { return e.Err }

func (e *ErrRollbackFailed) Error() string {
	return fmt.Sprintf("%v; PUTTING THE FORMER STATE BACK FAILED TOO: %v", e.Err, e.Undo)
}

// Unwrap gives both causes.
func (e *ErrRollbackFailed) Unwrap() []error { return []error{e.Err, e.Undo} }

func (e *ErrPermission) Error() string {
	return fmt.Sprintf("not permitted: %v (needs %s)", e.Err, e.Capability)
}

// Unwrap gives the cause.
func (e *ErrPermission) Unwrap() error { return e.Err }

func (e *ErrFeature) Error() string {
	if e.Minimum == "" {
		return fmt.Sprintf("this kernel lacks %s: %v", e.Feature, e.Err)
	}
	return fmt.Sprintf("this kernel lacks %s, which needs Linux %s: %v", e.Feature, e.Minimum, e.Err)
}

// Unwrap gives the cause.
func (e *ErrFeature) Unwrap() error { return e.Err }

// StepError says for which declaration a step failed.
type StepError struct {
	Step    string // "commit", "write sysctl", "read back"
	Address string // "policy.web.rate_limit"; "" when the step is for everything
	Range   policy.Range
	Err     error
}

func (e *StepError) Error() string {
	text := e.Step
	if e.Address != "" {
		text += " " + e.Address
	}
	if place := e.Range.String(); place != "" {
		text += " (" + place + ")"
	}
	// Errors from below often begin with the address too.
	return text + ": " + strings.TrimPrefix(e.Err.Error(), e.Address+": ")
}

// Unwrap gives the cause.
func (e *StepError) Unwrap() error { return e.Err }

// refused makes an ErrRefused with a formatted cause.
func refused(format string, args ...any) error { return &ErrRefused{Err: fmt.Errorf(format, args...)} }
