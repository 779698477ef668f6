package enforcer

// Statement is one part of a rule. There is a type for each thing our rules say, each printing itself as nft lists it
// (see text.go) and encoded by enforcer/nft.
type Statement interface {
	// nft gives the statement as `nft list` prints it.
	nft() string
}

// Field is a value taken from a packet, masked when Prefix is set.
type Field struct {
	Name   FieldName
	Prefix int // leading bits kept; 0 or the field's width: all
}

// FieldName names a Field as nft does.
type FieldName string

// The fields in use.
const (
	IPSaddr  FieldName = "ip saddr"     // implies meta nfproto ipv4
	IP6Saddr FieldName = "ip6 saddr"    // implies meta nfproto ipv6
	IPDaddr  FieldName = "ip daddr"     // implies meta nfproto ipv4
	IP6Daddr FieldName = "ip6 daddr"    // implies meta nfproto ipv6
	TCPDport FieldName = "tcp dport"    // implies meta l4proto tcp
	UDPDport FieldName = "udp dport"    // implies meta l4proto udp
	Iifname  FieldName = "iifname"      // the input interface's name
	L4Proto  FieldName = "meta l4proto" // the transport protocol, the same for every packet of a policy
)

// MatchEstablished is `ct state established,related`.
type MatchEstablished struct{}

// MatchLoopback is `iif "lo"`; loopback's index is 1 in every network namespace. Negated, every other interface.
type MatchLoopback struct{ Negate bool }

// MatchSYN is `tcp flags syn / fin,syn,rst,ack`: the first packet of a connection. Negated, everything else.
type MatchSYN struct{ Negate bool }

// MatchLocal is `fib daddr type local`: the packet is for this host. Negated, it is to be forwarded.
type MatchLocal struct{ Negate bool }

// MatchSet looks the fields up in a set. Negated, it matches when they are not in it.
type MatchSet struct {
	Fields []Field
	Set    string
	Negate bool
}

// VerdictMap looks the fields up in a verdict map and does what it says; without an entry the next rule follows.
type VerdictMap struct {
	Fields []Field
	Map    string
}

// Meter keeps state for each key in a dynamic set and matches when the key is over its limit. It does not match when
// the key is new and the set is full.
type Meter struct {
	Set    string
	Field  Field
	Update bool // refresh the element's timeout (update) instead of letting it run (add)
	// Exactly one of these is set.
	ConnectionsOver uint32     // `ct count over N`
	Over            *LimitOver // `limit rate over …`
	Packets         bool       // `counter`: always matches, and counts
}

// LimitOver is the kernel's token bucket, matching what exceeds it: Rate packets each Unit, Burst at once.
type LimitOver struct {
	Rate  uint64
	Unit  Unit
	Burst uint32
}

// Unit is a time unit of the kernel's limit expression, in seconds. nft can print only these.
type Unit uint64

// The units nft knows.
const (
	Second Unit = 1
	Minute Unit = 60
	Hour   Unit = 3600
	Day    Unit = 86400
	Week   Unit = 604800
)

// Count adds the packet to a named counter.
type Count struct{ Counter string }

// ResetTCP refuses the connection with a TCP RST; the rule only sees TCP because it stands behind `meta l4proto tcp`,
// which it implies.
type ResetTCP struct{}

// VerdictKind is what a verdict does.
type VerdictKind string

// The verdicts in use. Accept ends only the base chain it stands in: every other table still sees the packet.
const (
	Accept VerdictKind = "accept"
	Drop   VerdictKind = "drop"
	Return VerdictKind = "return"
	Goto   VerdictKind = "goto"
	Jump   VerdictKind = "jump"
)

// Verdict ends a rule.
type Verdict struct {
	Kind  VerdictKind
	Chain string // for Goto and Jump
}
