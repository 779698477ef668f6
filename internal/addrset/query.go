package addrset

import (
	"net/netip"
	"sort"
)

// Contains says whether the address is in the set. An IPv4-mapped address is taken as the IPv4 address it carries;
// a zone is ignored; the zero Addr is in no set.
func (s *Set) Contains(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	return a.IsValid() && s.Overlaps(netip.PrefixFrom(a, a.BitLen()))
}

// Overlaps says whether any address of the prefix is in the set; host bits of the prefix are ignored.
func (s *Set) Overlaps(p netip.Prefix) bool {
	if !p.IsValid() {
		return false
	}
	span, ipv6 := spanOf(p)
	for _, k := range kindsOf(ipv6) {
		part := s.part(k)
		if i := part.search(span.Lo); i < part.len() && !span.Hi.Less(part.at(i).Lo) {
			return true
		}
	}
	return false
}

// ContainsPrefix says whether all addresses of the prefix are in the set; host bits of the prefix are ignored.
// Neighbouring entries count together: 10.0.0.0 and 10.0.0.1 contain 10.0.0.0/31.
func (s *Set) ContainsPrefix(p netip.Prefix) bool {
	if !p.IsValid() {
		return false
	}
	span, ipv6 := spanOf(p)
	c := s.spansFrom(span.Lo, ipv6)
	have, ok := c.next()
	return ok && !span.Lo.Less(have.Lo) && !have.Hi.Less(span.Hi)
}

// OverlapsSet says whether the sets have an address in common. It takes time linear in both.
func (s *Set) OverlapsSet(other *Set) bool {
	for _, ipv6 := range []bool{false, true} {
		a, b := s.spansFrom(Addr6{}, ipv6), other.spansFrom(Addr6{}, ipv6)
		x, okX := a.next()
		y, okY := b.next()
		for okX && okY {
			switch {
			case x.Hi.Less(y.Lo):
				x, okX = a.next()
			case y.Hi.Less(x.Lo):
				y, okY = b.next()
			default:
				return true
			}
		}
	}
	return false
}

// ContainsSet says whether every address of other is in s too. It takes time linear in both.
func (s *Set) ContainsSet(other *Set) bool {
	for _, ipv6 := range []bool{false, true} {
		a, b := s.spansFrom(Addr6{}, ipv6), other.spansFrom(Addr6{}, ipv6)
		x, okX := a.next()
		for y, okY := b.next(); okY; y, okY = b.next() {
			for okX && x.Hi.Less(y.Lo) {
				x, okX = a.next()
			}
			// Spans are maximal, so what one of them does not hold whole is not held by two.
			if !okX || y.Lo.Less(x.Lo) || x.Hi.Less(y.Hi) {
				return false
			}
		}
	}
	return true
}

// kindsOf gives the single addresses and the ranges of a family.
func kindsOf(ipv6 bool) [2]Kind {
	if ipv6 {
		return [2]Kind{Addrs6, Ranges6}
	}
	return [2]Kind{Addrs4, Ranges4}
}

// search is the index of the first element that does not end before a.
func (p *Part) search(a Addr6) int {
	return sort.Search(p.len(), func(i int) bool { return !p.at(i).Hi.Less(a) })
}

// spans walks one family of a set as maximal runs of addresses, in order, single addresses and ranges joined.
type spans struct {
	addrs, ranges *Part
	i, j          int
}

// spansFrom begins at the first entry that does not end before a.
func (s *Set) spansFrom(a Addr6, ipv6 bool) spans {
	kinds := kindsOf(ipv6)
	c := spans{addrs: s.part(kinds[0]), ranges: s.part(kinds[1])}
	c.i, c.j = c.addrs.search(a), c.ranges.search(a)
	return c
}

// peek is the next entry as it stands in its part.
func (c *spans) peek() (r Range6, from *int, ok bool) {
	hasAddr, hasRange := c.i < c.addrs.len(), c.j < c.ranges.len()
	switch {
	case hasAddr && hasRange:
		a, b := c.addrs.at(c.i), c.ranges.at(c.j)
		if a.Lo.Less(b.Lo) {
			return a, &c.i, true
		}
		return b, &c.j, true
	case hasAddr:
		return c.addrs.at(c.i), &c.i, true
	case hasRange:
		return c.ranges.at(c.j), &c.j, true
	}
	return Range6{}, nil, false
}

// next is the next maximal run; ok is false at the end.
func (c *spans) next() (run Range6, ok bool) {
	run, from, ok := c.peek()
	if !ok {
		return Range6{}, false
	}
	*from++
	for {
		r, from, more := c.peek()
		behind, has := run.Hi.Next()
		if !more || !has || r.Lo != behind {
			return run, true
		}
		run.Hi = r.Hi
		*from++
	}
}
