package drill

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// service is a policy that a drill can attack, and where.
type service struct {
	policy policy.Policy
	ports  []uint16
	link   int        // which interface of the guarded namespace its clients come through
	v4, v6 netip.Addr // where it is reached; the zero Addr when the policy does not cover that family
}

// maxPorts bounds the ports attacked of each policy: more would be more of the same.
const maxPorts = 2

// layout is the network that a set of policies needs.
type layout struct {
	services []service
	links    []string // interface names in the guarded namespace, at least one
	routed   bool     // some services are behind the guarded host
	notes    []string
}

// The addresses of the network. Link i is in 100.64.i.0/24 and fd74:6370:i::/64: the outside is .1, the guarded host .2.
func outside4(link int) netip.Addr { return netip.AddrFrom4([4]byte{100, 64, byte(link), 1}) }
func guarded4(link int) netip.Addr { return netip.AddrFrom4([4]byte{100, 64, byte(link), 2}) }
func outside6(link int) netip.Addr { return linkAddr6(link, 1) }
func guarded6(link int) netip.Addr { return linkAddr6(link, 2) }

func linkAddr6(link int, host byte) netip.Addr {
	a := [16]byte{0: 0xfd, 1: 0x74, 2: 0x63, 3: 0x70, 5: byte(link), 15: host}
	return netip.AddrFrom16(a)
}

// behind is the link number of the network behind the guarded host, which no interface name takes.
const behind = 255

// plan finds what of the bundle can be attacked.
func plan(b *policy.Bundle) (layout, error) {
	var l layout
	for _, p := range b.Policies {
		switch {
		case p.Mode == policy.ModeOff:
			l.notes = append(l.notes, fmt.Sprintf("policy.%s is off: not attacked", p.Name))
		case p.Protocol != policy.TCP:
			l.notes = append(l.notes, fmt.Sprintf("policy.%s is about %s: not attacked", p.Name, p.Protocol))
		case onlyLoopback(p):
			l.notes = append(l.notes, fmt.Sprintf("policy.%s guards loopback only: not attacked", p.Name))
		default:
			l.add(p)
		}
	}
	if len(l.links) > behind {
		return l, fmt.Errorf("the policies name %d interfaces, a drill has room for %d", len(l.links), behind)
	}
	if len(l.services) == 0 {
		return l, fmt.Errorf("there is nothing to attack: no policy guards a TCP service here")
	}
	return l, nil
}

func onlyLoopback(p policy.Policy) bool { return len(p.Interfaces) == 1 && p.Interfaces[0] == "lo" }

func (l *layout) add(p policy.Policy) {
	s := service{policy: p, link: l.linkFor(p)}
	for _, r := range p.Ports[:min(len(p.Ports), maxPorts)] {
		s.ports = append(s.ports, r.First)
	}
	link := s.link
	if p.Path == policy.PathForward {
		l.routed = true
		link = behind
	}
	s.v4, s.v6 = guarded4(link), guarded6(link)
	if len(p.Addresses) > 0 {
		s.v4, s.v6 = firstHost(p.Addresses, false), firstHost(p.Addresses, true)
	}
	if p.Mode == policy.ModeMonitor {
		l.notes = append(l.notes, fmt.Sprintf("policy.%s only monitors: its counters say what it would drop", p.Name))
	}
	l.services = append(l.services, s)
}

// linkFor gives the link that carries the policy's first interface.
func (l *layout) linkFor(p policy.Policy) int {
	name := "eth0"
	for _, i := range p.Interfaces {
		if i != "lo" {
			name = i
			break
		}
	}
	if i := slices.Index(l.links, name); i >= 0 {
		return i
	}
	l.links = append(l.links, name)
	return len(l.links) - 1
}

// firstHost gives the first address of a family that a host could have.
func firstHost(prefixes []netip.Prefix, v6 bool) netip.Addr {
	for _, p := range prefixes {
		switch {
		case p.Addr().Is6() != v6:
		case p.IsSingleIP():
			return p.Addr()
		default:
			return p.Masked().Addr().Next()
		}
	}
	return netip.Addr{}
}

// at gives the service's address and ports of one family; none when it has no address there.
func (s service) at(v6 bool) []netip.AddrPort {
	address := s.v4
	if v6 {
		address = s.v6
	}
	if !address.IsValid() {
		return nil
	}
	var out []netip.AddrPort
	for _, port := range s.ports {
		out = append(out, netip.AddrPortFrom(address, port))
	}
	return out
}

// lists gives the addresses of named lists.
func lists(b *policy.Bundle, names ...string) *addrset.Set {
	var all addrset.Builder
	for _, list := range b.Lists {
		if slices.Contains(names, list.Name) {
			all.AddSet(list.Addresses)
		}
	}
	return all.Build()
}
