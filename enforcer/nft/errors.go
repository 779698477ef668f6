package nft

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/tcpguard/tcpguard/enforcer"
)

var (
	// ErrPermission says that the process may not change packet filters in this network namespace.
	ErrPermission = errors.New("not permitted: needs CAP_NET_ADMIN in this network namespace")
	// ErrStale says that the kernel's ruleset changed since the generation that Commit was given. Nothing was applied.
	ErrStale = errors.New("the kernel's ruleset changed meanwhile; nothing was applied")
	// ErrBusy says that the ruleset kept changing under Read.
	ErrBusy = errors.New("the kernel's ruleset keeps changing while it is read")
	// ErrOutcomeUnknown says that the kernel's answer to a batch was lost, and that others changed the ruleset too, so
	// that only reading back can tell whether the batch was applied.
	ErrOutcomeUnknown = errors.New("the kernel's answer was lost; read back to see whether the batch was applied")
	// ErrAnswerLost says that the kernel's answer to a batch was lost. The generation shows that nothing was applied.
	ErrAnswerLost = errors.New("the kernel's answer was lost; nothing was applied")
)

// BufferError says that a batch does not fit the socket's send buffer, which only CAP_NET_ADMIN in the initial user
// namespace may grow beyond net.core.wmem_max. Nothing was sent.
type BufferError struct {
	Need int // bytes of the batch
	Have int // bytes the buffer takes
}

func (e *BufferError) Error() string {
	return fmt.Sprintf("a batch of %d bytes does not fit the socket's %d: raise net.core.wmem_max to %d, or run with CAP_NET_ADMIN in the initial user namespace",
		e.Need, e.Have, (e.Need+bufferSlack+1)/2)
}

// FeatureError says that the kernel lacks something a ruleset needs.
type FeatureError struct {
	Feature   string // what is missing, with its module where it has one
	MinKernel string // the first Linux version that has it, "" when not known
}

func (e *FeatureError) Error() string {
	if e.MinKernel == "" {
		return "the kernel has no " + e.Feature
	}
	return fmt.Sprintf("the kernel has no %s (Linux %s or later, with the module built)", e.Feature, e.MinKernel)
}

// OpError is the kernel's refusal of one step of a transaction.
type OpError struct {
	Index   int           // of the step in Transaction.Ops
	Op      enforcer.Op   // the step
	Address string        // the declaration it serves
	Errno   syscall.Errno // why
	Message string        // the kernel's own words (NLMSGERR_ATTR_MSG), often empty
	Offset  int           // of the attribute it objects to, in bytes from the message's start; 0 when it did not say
	Feature *FeatureError // not nil when the kernel lacks what the step needs
}

func (e *OpError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s %s: ", e.Address, e.Op.Verb, objectOf(&e.Op))
	if e.Feature != nil {
		s.WriteString(e.Feature.Error())
	} else {
		s.WriteString(e.Errno.Error())
	}
	if e.Message != "" {
		fmt.Fprintf(&s, " (%s)", e.Message)
	}
	return s.String()
}

// Unwrap gives the errno, and the missing feature where that is the reason.
func (e *OpError) Unwrap() []error {
	if e.Feature != nil {
		return []error{e.Errno, e.Feature}
	}
	return []error{e.Errno}
}

// RefusedError is the kernel's refusal of a transaction: nothing of it was applied. The kernel goes on after a failing
// step to find more, so the first is the cause and later ones may follow from it.
type RefusedError struct{ Ops []*OpError }

// shownRefusals bounds the message of a RefusedError.
const shownRefusals = 5

func (e *RefusedError) Error() string {
	var lines []string
	for _, op := range e.Ops[:min(len(e.Ops), shownRefusals)] {
		lines = append(lines, op.Error())
	}
	if more := len(e.Ops) - shownRefusals; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return "the kernel refused: " + strings.Join(lines, "; ")
}

// Unwrap gives each step's error.
func (e *RefusedError) Unwrap() []error {
	all := make([]error, len(e.Ops))
	for i, op := range e.Ops {
		all[i] = op
	}
	return all
}
