package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"github.com/hashicorp/hcl/v2"
)

// maxCovered bounds the combinations of all policies together, as maxCoverage does for one.
const maxCovered = 1 << 20

const (
	loopback        = "lo"
	anyInterface    = ""  // the default: every interface but loopback
	namedInterfaces = "*" // under this the covers of all named interfaces but loopback are found together; no interface is called so
)

// cover is one combination that a policy covers.
type cover struct {
	index  int // of the policy, in the order of declaration
	iface  string
	prefix netip.Prefix
	ports  PortRange
}

// coverKey is what two covers must share to meet, apart from ports and from prefixes that contain each other.
type coverKey struct {
	protocol Protocol
	path     Path
	iface    string
	prefix   netip.Prefix
}

// overlaps finds policies that cover the same. Covers are visited from wide prefixes to narrow ones and by ascending
// port, so that each needs comparing only with the claims under its own prefix and those around it, and new claims
// are always appended: n log n for n covers, whereas comparing each with each is out of the question for thousands.
type overlaps struct {
	policies []*policyDecl
	lengths  map[bool][]int // prefix lengths that occur, ascending, by whether they are IPv6
	claims   map[coverKey][]cover
}

// checkOverlaps reports each pair of policies that cover the same port, interface, address, path and protocol.
func (l *loader) checkOverlaps() {
	covers, ok := l.covers()
	if !ok {
		return
	}
	o := &overlaps{policies: l.policies, lengths: map[bool][]int{}, claims: map[coverKey][]cover{}}
	told := map[[2]int]bool{}
	for _, c := range covers {
		for _, iface := range meeting(c.iface) {
			other, met := o.find(c, iface)
			pair := [2]int{min(c.index, other.index), max(c.index, other.index)}
			if met && !told[pair] {
				told[pair] = true
				l.reportOverlap(pair, c, other)
			}
		}
		o.claim(c)
	}
}

// covers lists all combinations in the order of the search.
func (l *loader) covers() (covers []cover, ok bool) {
	everywhere := []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	for i, p := range l.policies {
		interfaces, prefixes := p.Interfaces, p.Addresses
		if len(interfaces) == 0 {
			interfaces = []string{anyInterface}
		}
		if len(prefixes) == 0 {
			prefixes = everywhere
		}
		if len(covers)+len(p.Ports)*len(interfaces)*len(prefixes) > maxCovered {
			l.report.errorAt(p.header, "Policies too wide",
				fmt.Sprintf("Ports, interfaces and addresses of all policies make more than %d combinations.", maxCovered))
			return nil, false
		}
		for _, iface := range interfaces {
			for _, prefix := range prefixes {
				for _, ports := range p.Ports {
					covers = append(covers, cover{i, iface, prefix, ports})
				}
			}
		}
	}
	slices.SortFunc(covers, func(a, b cover) int {
		return cmp.Or(
			cmp.Compare(a.prefix.Bits(), b.prefix.Bits()),
			a.prefix.Addr().Compare(b.prefix.Addr()),
			cmp.Compare(a.ports.First, b.ports.First),
			cmp.Compare(a.index, b.index),
			cmp.Compare(a.iface, b.iface),
		)
	})
	return covers, true
}

// meeting gives the interfaces whose claims a cover of this interface meets.
func meeting(iface string) []string {
	switch iface {
	case anyInterface:
		return []string{anyInterface, namedInterfaces}
	case loopback:
		return []string{loopback}
	default:
		return []string{iface, anyInterface}
	}
}

func (o *overlaps) key(c cover, iface string) coverKey {
	p := o.policies[c.index]
	return coverKey{p.Protocol, p.Path, iface, c.prefix}
}

// find gives a claim that shares a port with c, under c's prefix or one around it.
func (o *overlaps) find(c cover, iface string) (cover, bool) {
	key := o.key(c, iface)
	for _, bits := range o.lengths[c.prefix.Addr().Is6()] {
		key.prefix, _ = c.prefix.Addr().Prefix(bits)
		claims := o.claims[key]
		i := sort.Search(len(claims), func(i int) bool { return claims[i].ports.Last >= c.ports.First })
		if i < len(claims) && claims[i].ports.First <= c.ports.Last {
			return claims[i], true
		}
	}
	return cover{}, false
}

// claim notes c under its interface. Claims of one key stay disjoint: of a cover that meets the last one, which is an
// error or another interface among the named ones, only what lies beyond it is noted.
func (o *overlaps) claim(c cover) {
	ipv6, bits := c.prefix.Addr().Is6(), c.prefix.Bits()
	if lengths := o.lengths[ipv6]; len(lengths) == 0 || lengths[len(lengths)-1] != bits {
		o.lengths[ipv6] = append(lengths, bits)
	}
	interfaces := []string{c.iface}
	if c.iface != anyInterface && c.iface != loopback {
		interfaces = append(interfaces, namedInterfaces)
	}
	for _, iface := range interfaces {
		key, rest := o.key(c, iface), c
		if claims := o.claims[key]; len(claims) > 0 {
			last := claims[len(claims)-1].ports.Last
			if c.ports.Last <= last {
				continue
			}
			rest.ports.First = max(rest.ports.First, last+1)
		}
		o.claims[key] = append(o.claims[key], rest)
	}
}

func (l *loader) reportOverlap(pair [2]int, a, b cover) {
	first, second := l.policies[pair[0]], l.policies[pair[1]]
	shared := PortRange{max(a.ports.First, b.ports.First), min(a.ports.Last, b.ports.Last)}
	what := "port " + shared.String()
	if shared.First != shared.Last {
		what = "ports " + shared.String()
	}
	l.report.errorAt(second.portAt(shared), "Policies overlap",
		fmt.Sprintf("The policies %q and %q both cover %s/%s on the same interface, address and path; a connection belongs to one policy.",
			first.Name, second.Name, what, second.Protocol),
		place{"the other policy is declared", first.portAt(shared)})
}

// portAt is where the policy names a port of the range.
func (p *policyDecl) portAt(r PortRange) hcl.Range {
	for _, w := range p.portsAt {
		if w.First <= r.Last && r.First <= w.Last {
			return w.rng
		}
	}
	return p.ports
}
