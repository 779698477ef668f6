package drill

import (
	"math/big"
	"net/netip"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// Where clients and attackers come from. All are outside of the drill's own network; the namespaces keep the world out.
// Of each row the first prefix is taken that none of the policy's lists touches, so that a list decides nothing by chance.
var (
	clients4   = prefixes("198.18.0.0/16", "172.16.0.0/16", "11.18.0.0/16")
	clients6   = prefixes("2001:2::/48", "2001:db8:c11e::/48", "fd00:c11e::/48")
	attackers4 = prefixes("198.19.0.0/16", "172.17.0.0/16", "11.19.0.0/16") // these complete handshakes
	nobody4    = prefixes("10.0.0.0/8", "12.0.0.0/8", "172.24.0.0/13")      // spoofed: answers to these go nowhere
	nobody6    = prefixes("2001:db8:bad:bad::/64", "fd00:bad:bad:bad::/64", "2001:2:1::/64")
)

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// world is where everybody comes from, chosen for one bundle.
type world struct {
	clients4, clients6, attackers4, nobody4, nobody6 netip.Prefix
	avoid                                            *addrset.Set // every address that a list treats apart
}

func worldOf(b *policy.Bundle) world {
	var avoid addrset.Builder
	for _, p := range b.Management.Sources {
		// A prefix that the language accepted is one that a set takes.
		_ = avoid.AddPrefix(p)
	}
	for _, p := range b.Policies {
		avoid.AddSet(lists(b, p.Allow...))
		avoid.AddSet(lists(b, p.Deny...))
	}
	w := world{avoid: avoid.Build()}
	w.clients4, w.clients6 = w.pick(clients4), w.pick(clients6)
	w.attackers4, w.nobody4, w.nobody6 = w.pick(attackers4), w.pick(nobody4), w.pick(nobody6)
	return w
}

func (w world) pick(from []netip.Prefix) netip.Prefix {
	for _, p := range from {
		if !w.avoid.Overlaps(p) {
			return p
		}
	}
	return from[0]
}

// sourcesOf gives up to n addresses that a service's clients may have, each in a group of its own as the policy groups
// sources: out of the `only` lists when the policy has them.
func (w world) sourcesOf(b *policy.Bundle, p policy.Policy, v6 bool, n int) []netip.Addr {
	bits := grouping(p, v6)
	if len(p.Only) > 0 {
		return w.sourcesIn(lists(b, p.Only...), v6, bits, n)
	}
	pool := w.clients4
	if v6 {
		pool = w.clients6
	}
	var set addrset.Builder
	_ = set.AddPrefix(pool)
	return w.sourcesIn(set.Build(), v6, bits, n)
}

func (w world) sourcesIn(set *addrset.Set, v6 bool, bits, n int) []netip.Addr {
	var out []netip.Addr
	seen := map[netip.Prefix]bool{}
	take := func(a netip.Addr) {
		group := netip.PrefixFrom(a, bits).Masked()
		if !seen[group] && !w.avoid.Contains(a) {
			seen[group] = true
			out = append(out, a)
		}
	}
	singles, ranges := set.Part(addrset.Addrs4), set.Part(addrset.Ranges4)
	if v6 {
		singles, ranges = set.Part(addrset.Addrs6), set.Part(addrset.Ranges6)
	}
	for i := 0; i < singles.Len() && len(out) < n; i++ {
		take(bounds(&singles, i)[0])
	}
	for i := 0; i < ranges.Len() && len(out) < n; i++ {
		// Hosts count from 1: the first address of a prefix is nobody's.
		span := bounds(&ranges, i)
		for a := span[0].Next(); a.IsValid() && !span[1].Less(a) && len(out) < n; a = step(a, bits) {
			take(a)
		}
	}
	return out
}

// bounds gives the first and last address of a part's member.
func bounds(p *addrset.Part, i int) [2]netip.Addr {
	switch p.Kind {
	case addrset.Addrs4:
		return [2]netip.Addr{addr4(p.Addrs4[i]), addr4(p.Addrs4[i])}
	case addrset.Ranges4:
		return [2]netip.Addr{addr4(p.Ranges4[i].Lo), addr4(p.Ranges4[i].Hi)}
	case addrset.Addrs6:
		return [2]netip.Addr{addr6(p.Addrs6[i]), addr6(p.Addrs6[i])}
	default:
		return [2]netip.Addr{addr6(p.Ranges6[i].Lo), addr6(p.Ranges6[i].Hi)}
	}
}

func addr4(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func addr6(a addrset.Addr6) netip.Addr {
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(a.Hi>>(56-8*i)), byte(a.Lo>>(56-8*i))
	}
	return netip.AddrFrom16(b)
}

// step goes one prefix of the given length further; past the last address it gives the zero Addr.
func step(a netip.Addr, bits int) netip.Addr {
	n := new(big.Int).SetBytes(a.AsSlice())
	n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(a.BitLen()-bits)))
	if n.BitLen() > a.BitLen() {
		return netip.Addr{}
	}
	next, _ := netip.AddrFromSlice(n.FillBytes(make([]byte, a.BitLen()/8)))
	return next
}

// grouping is the shortest prefix by which any limit of the policy groups sources.
func grouping(p policy.Policy, v6 bool) int {
	bits := 32
	if v6 {
		bits = 64
	}
	narrow := func(four, six int) {
		if v6 {
			bits = min(bits, six)
		} else {
			bits = min(bits, four)
		}
	}
	if p.Connection != nil {
		narrow(p.Connection.IPv4Prefix, p.Connection.IPv6Prefix)
	}
	if p.Rate != nil {
		narrow(p.Rate.IPv4Prefix, p.Rate.IPv6Prefix)
	}
	if p.Ban != nil {
		narrow(p.Ban.IPv4Prefix, p.Ban.IPv6Prefix)
	}
	return bits
}
