// Package view prints what the commands have to say: for people, or as JSON for programs. It takes values and decides
// nothing; it reads neither the kernel nor a file.
package view

import (
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/internal/status"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// View shows the outcome of a command. Each method is called at most once in a command, except Diagnostics and Step.
// Text writes data to standard output and everything else to standard error; JSON writes all of it to standard output,
// so that whoever parses it needs one stream.
type View interface {
	// Diagnostics shows mistakes and warnings of the policy; they also become part of the document that follows.
	Diagnostics(ds policy.Diagnostics) error
	// Valid shows that the policy is sound, and what it declares.
	Valid(v Validation) error
	// Formatted shows which files are not, or were not, in canonical form.
	Formatted(f Formatted) error
	// Plan shows what an apply would do.
	Plan(p *reconcile.Plan) error
	// Compiled shows what the policy becomes.
	Compiled(c Compiled) error
	// Step tells that an apply has got to a step.
	Step(step string, at time.Time) error
	// Report shows what an apply did.
	Report(r *reconcile.Report) error
	// Banned, Unbanned and Flushed show what became of bans made by hand.
	Banned(b Banned) error
	Unbanned(u Unbanned) error
	Flushed(f Flushed) error
	// Bans shows the bans in force.
	Bans(l BanList) error
	// Status shows how the host stands to its policy and bears its load.
	Status(s *status.Status) error
	// Version shows which tcpguard this is.
	Version(v Version) error
	// Failure shows why the command did not do what it was asked to.
	Failure(f Failure) error
}

// Validation is what a sound policy declares.
type Validation struct {
	Files     []string
	Policies  int
	Lists     int
	Addresses int // addresses and ranges in all lists
	Sysctls   int
}

// Formatted is the outcome of fmt: the files that are not in canonical form, in the order given.
type Formatted struct {
	Files   []string
	Written bool   // they were rewritten
	Diff    string // what is or would be changed, when asked for
}

// Compiled is what the policy becomes on this host.
type Compiled struct {
	Resources []enforcer.Resource
	Settings  []sysctl.Setting
	Lists     []policy.List
}

// Version says which tcpguard this is.
type Version struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source, "" when not known
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Failure is why a command did not do what it was asked to.
type Failure struct {
	Kind     string // "invalid_policy", "refused", ...: the name of the exit code
	ExitCode int
	Message  string
	Hint     string // what to do about it, "" when there is nothing to say
}
