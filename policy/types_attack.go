package policy

import "time"

// Protect says how a service is kept reachable under a SYN flood.
type Protect string

// The protections against SYN floods.
const (
	ProtectAuto     Protect = "auto"     // challenge sources that exceed a limit, and everybody while SYNs exceed Threshold
	ProtectSynproxy Protect = "synproxy" // challenge everybody, always
	ProtectCookies  Protect = "cookies"  // leave it to the kernel's SYN cookies
	ProtectOff      Protect = "off"
)

// Challenges says that some connections have to prove their source before the service sees them.
func (p Protect) Challenges() bool { return p == ProtectAuto || p == ProtectSynproxy }

// SYNFlood is how a service meets more SYNs than it can answer. A challenge is a SYN cookie that the kernel's synproxy
// sends in the service's name; only who answers it reaches the service.
type SYNFlood struct {
	Protect Protect
	// Threshold is the rate of SYNs to the policy above which they are challenged, whoever sends them, until they have been
	// below it for a second (auto).
	Threshold Rate
	// Rate is the rate of SYNs of one source, far above what a challenge is worth, at which they are dropped before
	// conntrack sees them. A drop on SYN rate alone can be provoked by spoofing, so it is meant for floods only.
	Rate Rate
	// What the challenge says in the service's name: maximum segment sizes in bytes for IPv4 and IPv6 (derived from the
	// smallest MTU of the policy's interfaces), window scale 0-14, selective acknowledgement and timestamps.
	MSS4, MSS6 uint16
	WScale     uint8
	SACK       bool
	Timestamp  bool
	Range      Range
}

// Proof says which violations count towards a ban.
type Proof string

// The proofs of a violation.
const (
	ProofHandshake Proof = "handshake" // only by a source that completed a handshake: a spoofed SYN can ban nobody
	ProofNone      Proof = "none"      // every refused connection attempt
)

// Ban shuts out sources that go on violating the policy's limits. Sources are grouped by IPv4Prefix and IPv6Prefix as
// in a limit.
type Ban struct {
	After      Rate          // this many violations within the interval
	For        time.Duration // of the first ban; whole seconds, at least 1 s
	Escalate   []uint32      // multiples of For for the first, second, ... ban of a repeat offender; at least one, rising
	Proof      Proof
	IPv4Prefix int
	IPv6Prefix int
	TableSize  uint32 // sources banned at one time, for each address family
	Range      Range
}

// LogTarget is where the packets a policy refuses are reported.
type LogTarget string

// The log targets.
const (
	LogKernel LogTarget = "kernel" // the kernel log
	LogNflog  LogTarget = "nflog"  // a netlink group, for ulogd and the like
)

// Log samples what a policy refuses. The prefix of each line is the address of what refused it, as in
// "policy.web.connection_limit: ".
type Log struct {
	Rate   Rate
	Burst  uint32
	Target LogTarget
	Group  uint16 // of nflog
	Range  Range
}
