package reconcile

import (
	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/sysctl"
)

// Kernel is the packet filter of one network namespace, as enforcer/nft reaches it.
type Kernel interface {
	// Read gives our table, without the content of big sets, and the generation it was read at.
	Read() (*enforcer.Ruleset, uint32, error)
	// Normalize fills in the wire form of a desired ruleset's rules, so that it compares with one that was read.
	Normalize(*enforcer.Ruleset) error
	// Commit takes a transaction whole or not at all, if the kernel still is at the generation. Errors: *StaleError,
	// *ErrPermission, *ErrFeature, *StepError with the address of the step that the kernel refused.
	Commit(tx *enforcer.Transaction, generation uint32) error
}

// Settings are the sysctls of one network namespace; *sysctl.Client is one.
type Settings interface {
	Read(keys []string) ([]sysctl.State, error)
	Apply(sysctl.Step) error
	Undo(done []sysctl.Step) error
	// WithFollowers adds to each step what the kernel overwrites by itself when it is applied.
	WithFollowers([]sysctl.Step) ([]sysctl.Step, error)
}

// StaleError is returned by a Kernel's Commit when another program changed nftables since the reading.
type StaleError struct{}

func (*StaleError) Error() string { return "nftables was changed by another program since it was read" }
