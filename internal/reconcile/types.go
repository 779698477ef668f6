// Package reconcile makes a host hold what a policy.Bundle declares: it plans, applies in one nftables transaction,
// reads back, and puts everything back when a step fails. What it needs of the kernel comes in through interfaces, so
// its decisions are tested with values.
package reconcile

import (
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

// FormatVersion is the version of the JSON documents: a new minor adds fields, a new major is refused by readers.
const FormatVersion = "1.0"

// Kind says which part of the kernel a Change is about.
type Kind string

// The kinds of a Change.
const (
	KindNFTables Kind = "nftables"
	KindSysctl   Kind = "sysctl"
)

// Action is what an apply does for one address.
type Action string

// The actions. Repair is for what is declared as it was at the last apply, while the kernel no longer holds it.
const (
	ActionCreate Action = "create"
	ActionUpdate Action = "update"
	ActionDelete Action = "delete"
	ActionRepair Action = "repair"
	ActionNoop   Action = "noop"
)

// Change is what an apply would do for one address, and why.
type Change struct {
	Address string `json:"address"`
	Kind    Kind   `json:"kind"`
	Action  Action `json:"action"`
	// Before and After are the declared values, or for a sysctl the value in force, in the order they are declared. Nil
	// Before is null in JSON: there was nothing, or nothing is known of it.
	Before Attributes `json:"before"`
	After  Attributes `json:"after"`
	// Reason says why in one clause: "no longer declared", "missing from the kernel: will be put back".
	Reason string `json:"reason"`
	// Notes are consequences to know before approving: "live counts restart for this limit".
	Notes []string     `json:"notes"`
	Range policy.Range `json:"range"`
}

// Warning is something about the host that the policy's author should know; it does not stop an apply.
type Warning struct {
	Address string       `json:"address"` // what it is about, "" for the host as a whole
	Summary string       `json:"summary"`
	Detail  string       `json:"detail"`
	Range   policy.Range `json:"range"`
}

// Summary counts the changes of a plan by what a person calls them.
type Summary struct {
	Add    int `json:"add"`
	Change int `json:"change"`
	Remove int `json:"remove"`
	Repair int `json:"repair"`
}

// Total is the number of changes an apply would make.
func (s Summary) Total() int { return s.Add + s.Change + s.Remove + s.Repair }

// Plan is what an apply would do. It is bound to the policy and to the kernel state it was made against; an apply of a
// saved plan is refused when either is another one by then.
type Plan struct {
	FormatVersion string `json:"format_version"`
	// Namespace is "default" for the network namespace tcpguard runs in, else "netns-<name>".
	Namespace string `json:"namespace"`
	// Destroy is set for a plan that removes everything; such a plan has no policy.
	Destroy bool `json:"destroy"`
	// KeepSysctl is set for a destroy that leaves the sysctls as they are.
	KeepSysctl bool `json:"keep_sysctl"`
	// PolicyHash is the hex SHA-256 of what is declared, whatever file or comment it stands in.
	PolicyHash string `json:"policy_hash"`
	// StateHash is the hex SHA-256 of the kernel objects and sysctls that the plan is about, without live counts.
	StateHash string `json:"state_hash"`
	// Generation is the kernel's nftables generation id at the time of reading; other tables' changes move it too.
	Generation uint32    `json:"generation"`
	Created    time.Time `json:"created"`
	Changes    []Change  `json:"changes"` // sorted by address, without noops
	Warnings   []Warning `json:"warnings"`
	// Notes are about the plan as a whole: how it was classified, what an interrupted apply left, what was skipped.
	Notes   []string `json:"notes"`
	Summary Summary  `json:"summary"`

	work *work // what to commit; nil in a plan that was read from a file
}

// Empty says that an apply would change nothing.
func (p *Plan) Empty() bool { return p.Summary.Total() == 0 }

// Outcome is how an apply ended.
type Outcome string

// The outcomes of an apply.
const (
	OutcomeUnchanged      Outcome = "unchanged"       // there was nothing to do
	OutcomeApplied        Outcome = "applied"         // done, read back, as declared
	OutcomeRolledBack     Outcome = "rolled_back"     // a step failed, the state of before is in force and was verified
	OutcomeRollbackFailed Outcome = "rollback_failed" // a step failed and so did putting things back
)

// Difference is one thing that reading back found to be other than written.
type Difference struct {
	Address string       `json:"address"`
	Object  string       `json:"object"` // "rule 3 of chain policy.web", "net.core.somaxconn"
	Kind    string       `json:"kind"`   // missing, changed or extra; for a sysctl: changed
	Want    string       `json:"want"`   // "" where there are no words for it
	Got     string       `json:"got"`
	Range   policy.Range `json:"range"`
}

// Report is what an apply did.
type Report struct {
	FormatVersion string  `json:"format_version"`
	Plan          *Plan   `json:"plan"`
	Outcome       Outcome `json:"outcome"`
	// Applied are the addresses that were changed, sorted; empty when everything was put back.
	Applied []string `json:"applied"`
	// Verified says that everything declared was read back after the last write and is as planned.
	Verified bool `json:"verified"`
	// Differences are what reading back found, before anything was put back.
	Differences []Difference `json:"differences"`
	// Recovered tells what became of an apply that had been interrupted; "" when there was none.
	Recovered string `json:"recovered"`
	// Adopted is how many open connections conntrack was told of, so that a challenge does not cut them.
	Adopted int `json:"adopted_connections"`
	// Attempts counts the readings of the kernel; above 1 another program changed nftables in the meantime.
	Attempts int           `json:"attempts"`
	Duration time.Duration `json:"-"`
}
