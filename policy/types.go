// Package policy is the language of tcpguard: it loads HCL files, evaluates their expressions, checks them and
// returns plain values. It never touches the kernel, so the same files, variables and facts give the same Bundle.
package policy

import (
	"fmt"
	"time"

	"net/netip"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

// Bundle is everything that the loaded files declare, evaluated and checked. Slices are sorted by name (sysctls by
// key), so equal declarations give equal bundles whatever file they stand in.
type Bundle struct {
	Files      []string // files read, in the order they were merged: policies, variable files and list files
	Management Management
	Lists      []List
	Policies   []Policy
	Capacity   *Capacity // nil when not declared
	Sysctls    []Sysctl
}

// Range is the place in a file that a value came from. Lines and columns count from 1, as HCL diagnostics do.
// The zero Range means "not written anywhere": a default, or something tcpguard derived by itself.
type Range struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String gives "file:line", or "" for the zero Range.
func (r Range) String() string {
	if r.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", r.File, r.Line)
}

// Management names who and what must always reach this host.
type Management struct {
	// Sources pass before every limit, ban and deny list, on every port.
	Sources []netip.Prefix
	// Ports are those the host is administered on, 1-65535. Without Sources they pass for everybody.
	Ports []PortRange
	Range Range
}

// Protocol is the transport protocol a policy covers.
type Protocol string

// The protocols a policy can cover.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Path says which packets a policy sees.
type Path string

// The paths a policy can guard.
const (
	PathInput   Path = "input"   // connections to this host
	PathForward Path = "forward" // connections to hosts behind this one
)

// Mode says what becomes of a verdict.
type Mode string

// The modes of a policy.
const (
	ModeEnforce Mode = "enforce" // verdicts hold
	ModeMonitor Mode = "monitor" // verdicts are counted and never given
	ModeOff     Mode = "off"     // nothing of the policy reaches the kernel
)

// Action says how a refused connection is told.
type Action string

// The actions of a limit.
const (
	ActionDrop  Action = "drop"  // say nothing
	ActionReset Action = "reset" // answer with a TCP RST
)

// OnFull says what a new source gets when a limit's table is full.
type OnFull string

// The outcomes of a full table.
const (
	OnFullDrop OnFull = "drop"
	OnFullPass OnFull = "pass"
)

// Per says what a limit counts.
type Per string

// The scopes of a limit.
const (
	PerSource Per = "source" // each source prefix on its own
	PerTotal  Per = "total"  // all sources together
)

// Window says how a rate is measured.
type Window string

// The windows of a rate limit.
const (
	WindowToken Window = "token" // token bucket: Burst at once, then one each Interval/Count
	WindowFixed Window = "fixed" // at most Count in the window that a source's first connection opens
)

// PortRange is a closed range of ports; First equals Last for a single port. 1 <= First <= Last <= 65535.
type PortRange struct{ First, Last uint16 }

// String gives "443" or "8000-8010".
func (p PortRange) String() string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// Rate is Count events in each Interval; both are positive.
type Rate struct {
	Count    uint64
	Interval time.Duration
}

// Policy guards one service. Ports, interfaces and addresses of two policies on the same path never overlap: Load
// refuses that, so the order of policies has no meaning.
type Policy struct {
	Name        string // [A-Za-z][A-Za-z0-9_-]{0,63}
	Description string
	Protocol    Protocol
	Ports       []PortRange    // sorted, merged, never empty
	Interfaces  []string       // sorted; empty: every interface but loopback
	Addresses   []netip.Prefix // sorted, masked; destination addresses; empty: all
	Path        Path
	Mode        Mode
	Allow       []string // names of lists that are never limited
	Deny        []string // names of lists that are dropped at the earliest hook
	Only        []string // names of lists; when not empty, everybody else is dropped
	Connection  *ConnectionLimit
	Rate        *RateLimit
	SYNFlood    *SYNFlood // nil: protect = "off"
	Ban         *Ban
	Log         *Log
	Range       Range
	AllowRange  Range
	DenyRange   Range
	OnlyRange   Range
}

// Grouping says which sources a limit counts as one, and how many it remembers.
type Grouping struct {
	Per        Per
	IPv4Prefix int    // bits, 1-32
	IPv6Prefix int    // bits, 1-128
	TableSize  uint32 // sources tracked, for each address family; at least 1
	OnFull     OnFull
}

// ConnectionLimit bounds the connections a source may hold at one time (what iptables connlimit did).
type ConnectionLimit struct {
	Grouping
	Max    uint32 // connections; at least 1
	Action Action
	Range  Range
}

// RateLimit bounds how fast a source may open connections (what iptables recent and hashlimit did).
type RateLimit struct {
	Grouping
	Rate   Rate
	Burst  uint32 // connections at once with WindowToken, at least 1; equals Rate.Count with WindowFixed
	Window Window
	Action Action
	Range  Range
}

// List is a named set of addresses. Anonymous lists (addresses written in a policy's allow, deny or only) are named
// "<policy>.<argument>" and have Anonymous set; a declared name never has a dot.
type List struct {
	Name      string
	Anonymous bool
	File      string // "" when the addresses are written in the policy
	Addresses *addrset.Set
	Range     Range
}

// Address is the stable name of the list in plans, logs and the kernel: "list.blocklist", or "policy.web.allow" for
// an anonymous list.
func (l List) Address() string {
	if l.Anonymous {
		return "policy." + l.Name
	}
	return "list." + l.Name
}

// Capacity is the load that the host is declared to bear; zero fields are not declared.
type Capacity struct {
	ConcurrentConnections uint64
	NewConnections        Rate
	Range                 Range
}

// Bound says how a wanted sysctl value is compared with the one in force.
type Bound string

// The bounds of a sysctl.
const (
	Exact   Bound = "value"
	AtLeast Bound = "at_least"
	AtMost  Bound = "at_most"
)

// OnMissing says what becomes of a key this kernel does not have.
type OnMissing string

// The outcomes of a missing key.
const (
	MissingError OnMissing = "error"
	MissingSkip  OnMissing = "skip"
)

// OnRemove says what becomes of a key that is no longer declared.
type OnRemove string

// The outcomes of a removed key.
const (
	RemoveRestore OnRemove = "restore" // the value found before the first write comes back
	RemoveKeep    OnRemove = "keep"
)

// Sysctl is one declared kernel setting.
type Sysctl struct {
	Key       string   // normal form with dots between components; a dot inside an interface name is written as a slash, as sysctl(8) does
	Want      []string // fields of the value, one for most keys
	Bound     Bound
	OnMissing OnMissing
	OnRemove  OnRemove
	Range     Range
}

// Address is the stable name of the sysctl: sysctl["net.core.somaxconn"].
func (s Sysctl) Address() string { return fmt.Sprintf("sysctl[%q]", s.Key) }

// Facts is what expressions may know of a host, as host.name and so on.
type Facts struct {
	Name       string   `json:"name"`
	CPUs       int      `json:"cpus"`
	MemoryMiB  uint64   `json:"memory_mib"`
	Interfaces []string `json:"interfaces"`
	// MTUs gives each interface's maximum packet size in bytes; not visible to expressions.
	MTUs map[string]int `json:"mtus"`
}
