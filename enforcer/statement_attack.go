package enforcer

import (
	"fmt"
	"strings"
	"time"
)

// The statements of the pipeline that meets a SYN flood.

// MatchUnproven is `ct state invalid,untracked`: a SYN that was kept from conntrack, or the answer to a challenge.
type MatchUnproven struct{}

func (MatchUnproven) nft() string { return "ct state invalid,untracked" }

// MatchInvalid is `ct state invalid`.
type MatchInvalid struct{}

func (MatchInvalid) nft() string { return "ct state invalid" }

// MatchTranslated is `ct status dnat`: a NAT rule has changed where the packet goes.
type MatchTranslated struct{}

func (MatchTranslated) nft() string { return "ct status dnat" }

// MatchACK is `tcp flags ack / syn,rst,ack`: what may prove. The synproxy answers whatever has a SYN flag, were it
// beside a FIN, so it must be shown nothing else.
type MatchACK struct{}

func (MatchACK) nft() string { return "tcp flags ack / syn,rst,ack" }

// MatchProxyAnswer is `tcp flags syn,ack / fin,syn,rst,ack tcp window 0`: a challenge on its way to a client.
type MatchProxyAnswer struct{}

func (MatchProxyAnswer) nft() string { return "tcp flags syn,ack / fin,syn,rst,ack tcp window 0" }

// MatchFamily is `meta nfproto ipv4` or ipv6.
type MatchFamily struct{ IPv6 bool }

func (s MatchFamily) nft() string {
	if s.IPv6 {
		return "meta nfproto ipv6"
	}
	return "meta nfproto ipv4"
}

// MatchLocalSource is `fib saddr type local`: the packet comes from this host itself. Negated, from another.
type MatchLocalSource struct{ Negate bool }

func (s MatchLocalSource) nft() string {
	if s.Negate {
		return "fib saddr type != local"
	}
	return "fib saddr type local"
}

// Sample is `numgen random mod Of 0`: one packet in Of, by chance.
type Sample struct{ Of uint32 }

func (s Sample) nft() string { return fmt.Sprintf("numgen random mod %d 0", s.Of) }

// Limit is a token bucket of the rule's own. It matches what exceeds it, or with Under what does not. Its state goes
// with the rule, so it serves where forgetting costs nothing: thresholds and log samples.
type Limit struct {
	LimitOver
	Under bool
}

func (s Limit) nft() string {
	if s.Under {
		return strings.Replace(s.LimitOver.nft(), "rate over", "rate", 1)
	}
	return s.LimitOver.nft()
}

// Remember puts the packet's key into a set for a time; Update lets that time begin anew for a key that is there. It
// does not match when the key is new and the set is full.
type Remember struct {
	Set     string
	Field   Field
	Timeout time.Duration // whole seconds; 0: the set's own
	Update  bool
}

func (s Remember) nft() string {
	verb, timeout := "add", ""
	if s.Update {
		verb = "update"
	}
	if s.Timeout > 0 {
		timeout = " timeout " + timeText(s.Timeout)
	}
	return fmt.Sprintf("%s @%s { %s%s }", verb, s.Set, s.Field, timeout)
}

// NoTrack keeps the packet from conntrack.
type NoTrack struct{}

func (NoTrack) nft() string { return "notrack" }

// SynProxy answers a SYN with a cookie in the service's name and, when the cookie comes back, opens the connection to
// the service (net/netfilter/nft_synproxy.c). It takes SYNs and the ACK that proves; other packets pass.
type SynProxy struct {
	MSS       uint16
	WScale    uint8
	Timestamp bool
	SACK      bool
}

func (s SynProxy) nft() string {
	out := fmt.Sprintf("synproxy mss %d wscale %d", s.MSS, s.WScale)
	if s.Timestamp {
		out += " timestamp"
	}
	if s.SACK {
		out += " sack-perm"
	}
	return out
}

// LogPacket reports the packet, to the kernel log or to a netlink group.
type LogPacket struct {
	Prefix string // at most 127 bytes
	Nflog  bool
	Group  uint16
}

func (s LogPacket) nft() string {
	if s.Nflog {
		return fmt.Sprintf("log prefix %q group %d", s.Prefix, s.Group)
	}
	return fmt.Sprintf("log prefix %q", s.Prefix)
}
