package bans

import (
	"cmp"
	"errors"
	"net/netip"
	"strings"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

// Span is an address, or a range of them from First to Last.
type Span struct{ First, Last netip.Addr }

// ParseSpan reads an address, a prefix or "first-last". What is refused is told in the words of a list file.
func ParseSpan(text string) (Span, error) {
	if a, err := netip.ParseAddr(text); err == nil && !a.Is4In6() && a.Zone() == "" {
		return Span{a, a}, nil
	}
	// The builder is the one judge of what else a list may say.
	var b addrset.Builder
	if err := b.AddText(text); err != nil {
		return Span{}, err
	}
	for first, last := range b.Build().All() {
		return Span{first, last}, nil
	}
	return Span{}, errors.New("not an IP address, prefix or range")
}

// spanOf gives the span of a prefix; host bits are ignored.
func spanOf(p netip.Prefix) Span {
	p = p.Masked()
	last := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	return Span{p.Addr(), end}
}

// Single says that it is one address.
func (s Span) Single() bool { return s.First == s.Last }

// Prefix gives the prefix that the span is; ok is false for a range that is none.
func (s Span) Prefix() (p netip.Prefix, ok bool) {
	a, b := s.First.AsSlice(), s.Last.AsSlice()
	bits := 0
	for bits < len(a)*8 && (a[bits/8]^b[bits/8])&(0x80>>(bits%8)) == 0 {
		bits++
	}
	p = netip.PrefixFrom(s.First, bits)
	return p, spanOf(p) == s
}

// String gives an address, a prefix where the span is one, else "first-last".
func (s Span) String() string {
	if s.Single() {
		return s.First.String()
	}
	if p, ok := s.Prefix(); ok {
		return p.String()
	}
	return s.First.String() + "-" + s.Last.String()
}

// covers says whether other lies in s.
func (s Span) covers(other Span) bool {
	return s.First.Is4() == other.First.Is4() && !other.First.Less(s.First) && !s.Last.Less(other.Last)
}

// overlaps says whether they have an address in common.
func (s Span) overlaps(other Span) bool {
	return s.First.Is4() == other.First.Is4() && !other.Last.Less(s.First) && !s.Last.Less(other.First)
}

// compare orders spans by their first address, the wider one first.
func (s Span) compare(other Span) int {
	return cmp.Or(s.First.Compare(other.First), other.Last.Compare(s.Last))
}

// cutComment takes a # and what follows away, and blanks around the rest.
func cutComment(line string) string {
	line, _, _ = strings.Cut(line, "#")
	return strings.Trim(line, " \t\r")
}
