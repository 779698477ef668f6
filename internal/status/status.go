// Package status tells how a host stands to its policy and bears its load: is it as declared, what has each policy
// refused, how full are its tables, who would have been refused, how are the TCP queues. It reads the kernel itself,
// changes nothing and takes no lock.
package status

import (
	"time"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
)

// Status is what there is to say of a host, or of one network namespace of it. Counts of packets run since the policy
// was first applied; those of the kernel since the namespace was made, mostly the boot.
type Status struct {
	Namespace string // "default" or "netns-<name>"
	Time      time.Time
	// Applied says that the kernel holds a table of ours.
	Applied bool
	Sync    Sync
	// Policies are sorted by name: those declared, and those the kernel holds.
	Policies  []Policy
	Bans      HostBans
	Conntrack Conntrack
	TCP       TCP
	Listeners []Listener // on the ports of policies that guard this host, sorted by port and address
	Notes     []string   // what could not be told, and why
}

// Sync says whether the host is as declared.
type Sync struct {
	// Unknown is why that cannot be said; "" when it can.
	Unknown string
	// Pending are the changes an apply would make, sorted by address.
	Pending []reconcile.Change
	Summary reconcile.Summary
}

// SyncOf takes it from a plan.
func SyncOf(p *reconcile.Plan) Sync { return Sync{Pending: p.Changes, Summary: p.Summary} }

// InSync says that the host is known to be as declared.
func (s Sync) InSync() bool { return s.Unknown == "" && s.Summary.Total() == 0 }

// Policy is what one policy did.
type Policy struct {
	Name string
	// Declared says that the policy files have it; then Mode, Protocol, Path and Range are theirs.
	Declared bool
	// Held says that the kernel has objects of it.
	Held bool
	// Mode of a policy that is not declared is "monitor" where the kernel shows that, else "".
	Mode     policy.Mode
	Protocol policy.Protocol
	Path     policy.Path
	// Ports are those declared, else those that the kernel's maps lead to this policy.
	Ports []policy.PortRange
	Range policy.Range

	// Accepted are the packets that passed every limit: of a TCP policy those that open connections.
	Accepted Traffic
	// Allowed are the packets of its allow lists.
	Allowed Traffic
	// Refusals are in the order in which the kernel asks. In monitor mode they are what would have become of packets.
	Refusals []Refusal
	Tables   []Table // what its rules remember, sorted by name and family
	Shadow   Shadow

	passes map[string]bool // reasons that let pass
}

// Address is the policy's stable name.
func (p *Policy) Address() string { return "policy." + p.Name }

// Monitored says that what is counted as refused was let through.
func (p *Policy) Monitored() bool { return p.Mode == policy.ModeMonitor }

// Traffic is what a counter of the kernel has counted.
type Traffic struct{ Packets, Bytes uint64 }

// Refusal is what one of a policy's blocks did not let pass untouched.
type Refusal struct {
	Reason string // "connection_limit", "connection_limit.full", "syn_flood.challenged"
	Kind   Kind
	Traffic
}

// Kind says what became of packets that a Refusal counts.
type Kind string

// The kinds of a Refusal.
const (
	Refused    Kind = "refused"    // dropped or answered with a reset
	Challenged Kind = "challenged" // their source has to prove itself
	Banned     Kind = "banned"     // they completed the count of violations, and their source was banned or should have been
	Passed     Kind = "passed"     // the table was full, and the policy lets pass who does not fit
)

// Table is a set that rules fill.
type Table struct {
	Name   string // of what fills it: "connection_limit", "ban", "syn_flood.hot"
	Set    string // the kernel's name for it
	Family string // "ipv4", "ipv6", or "total" for one that counts all sources together
	Fill
}

// Fill is how many entries there are, and may be.
type Fill struct {
	Count int    // -1 when it is not known
	Size  uint64 // 0 when it is not bounded
}

// Known says whether there is a count.
func (f Fill) Known() bool { return f.Count >= 0 }

// Percent is how full it is, 0 when that is not known or not bounded.
func (f Fill) Percent() float64 {
	if !f.Known() || f.Size == 0 {
		return 0
	}
	return 100 * float64(f.Count) / float64(f.Size)
}

// HostBans are the bans that hold for the whole host. A policy's own are among its tables and refusals.
type HostBans struct {
	Dropped Traffic
	Tables  []Table // addresses ("ban") and ranges ("ban.net") of each family
}

// Bans counts the bans in force in tables. It is -1 when that of one of them is not known.
func Bans(tables []Table) int {
	n := 0
	for _, t := range tables {
		switch {
		case t.Name != tableBan && t.Name != tableBanRanges:
		case !t.Known():
			return -1
		default:
			n += t.Count
		}
	}
	return n
}

// Shadow is whom a policy in monitor mode would have refused. A source is forgotten an hour after its last packet that
// would have been refused, so the numbers are of sources seen in the last hour.
type Shadow struct {
	Sources int // that are remembered now
	// Top are the sources with the most packets, most first.
	Top []Source
}

// Source is a source and how it fared.
type Source struct {
	Name string // an IPv4 address, or an IPv6 /64
	Traffic
	LastSeen time.Duration // since its last packet that would have been refused
	Expires  time.Duration // until it is forgotten, if it sends no other one
}
