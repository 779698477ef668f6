package addrset

import (
	"iter"
	"math/bits"
	"net/netip"
)

// Bounds gives the first and last address of the i-th element; they are equal for a single address.
func (p Part) Bounds(i int) (first, last netip.Addr) { return p.bounds(i) }

func (p *Part) bounds(i int) (first, last netip.Addr) {
	r := p.at(i)
	return p.addr(r.Lo), p.addr(r.Hi)
}

// addr narrows a widened address to the part's family.
func (p *Part) addr(a Addr6) netip.Addr {
	if p.Kind.IPv6() {
		return a.Addr()
	}
	return Addr4(uint32(a.Lo))
}

// All walks the elements in order, each as its first and last address.
func (p Part) All() iter.Seq2[netip.Addr, netip.Addr] {
	return func(yield func(first, last netip.Addr) bool) {
		for i := range p.len() {
			if !yield(p.bounds(i)) {
				return
			}
		}
	}
}

// All walks the set part by part in the order of the kinds, each entry as its first and last address.
func (s *Set) All() iter.Seq2[netip.Addr, netip.Addr] {
	return func(yield func(first, last netip.Addr) bool) {
		for k := range NumKinds {
			for first, last := range s.Part(k).All() {
				if !yield(first, last) {
					return
				}
			}
		}
	}
}

// AppendText appends the i-th element as nft lists it: an address, a prefix where the range is one, else "first-last".
func (p Part) AppendText(dst []byte, i int) []byte { return p.appendText(dst, i) }

func (p *Part) appendText(dst []byte, i int) []byte {
	r := p.at(i)
	first := p.addr(r.Lo)
	if r.Lo == r.Hi {
		return first.AppendTo(dst)
	}
	if host := blockBits(r); lastOf(r.Lo, host) == r.Hi {
		return netip.PrefixFrom(first, p.width()-host).AppendTo(dst)
	}
	dst = append(first.AppendTo(dst), '-')
	return p.addr(r.Hi).AppendTo(dst)
}

// Texts walks the elements in order, each as nft lists it.
func (p Part) Texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		var buf []byte
		for i := range p.len() {
			buf = p.appendText(buf[:0], i)
			if !yield(string(buf)) {
				return
			}
		}
	}
}

// Texts walks the set part by part in the order of the kinds, each entry as nft lists it.
func (s *Set) Texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range NumKinds {
			for text := range s.Part(k).Texts() {
				if !yield(text) {
					return
				}
			}
		}
	}
}

// Prefixes walks the set part by part as prefixes; a range that is none is cut into the fewest that cover it exactly.
func (s *Set) Prefixes() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		for k := range NumKinds {
			p := s.part(k)
			for i := range p.len() {
				if !p.cut(p.at(i), yield) {
					return
				}
			}
		}
	}
}

// cut yields the prefixes of one range from its low end; false means that the walk was stopped.
func (p *Part) cut(r Range6, yield func(netip.Prefix) bool) bool {
	for {
		host := blockBits(r)
		if !yield(netip.PrefixFrom(p.addr(r.Lo), p.width()-host)) {
			return false
		}
		last := lastOf(r.Lo, host)
		if last == r.Hi {
			return true
		}
		r.Lo, _ = last.Next()
	}
}

// width is the number of bits in an address of the part's family.
func (p *Part) width() int {
	if p.Kind.IPv6() {
		return 128
	}
	return 32
}

// blockBits is the number of host bits of the largest prefix that begins at r.Lo and ends within r.
func blockBits(r Range6) int {
	host := bits.TrailingZeros64(r.Lo.Lo)
	if host == 64 {
		host += bits.TrailingZeros64(r.Lo.Hi)
	}
	for host > 0 && r.Hi.Less(lastOf(r.Lo, host)) {
		host--
	}
	return host
}
