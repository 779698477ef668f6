package addrset

import (
	"errors"
	"fmt"
	"net/netip"
)

// Builder gathers addresses, prefixes and ranges in any order and makes a Set of them. The zero Builder is ready.
type Builder struct {
	addrs4  chunks[uint32]
	ranges4 chunks[Range4]
	addrs6  chunks[Addr6]
	ranges6 chunks[Range6]
}

// The reasons why an address cannot be in a set.
var (
	errInvalid = errors.New("not an IP address")
	errZone    = errors.New("an address in a list has no zone")
	errFamily  = errors.New("range begins with one address family and ends with another")
	errOrder   = errors.New("range ends before it begins")
)

// checkAddr refuses what no packet's source can be matched against.
func checkAddr(a netip.Addr) error {
	switch {
	case !a.IsValid():
		return errInvalid
	case a.Is4In6():
		return fmt.Errorf("an IPv4-mapped address never stands in a packet, write %s", a.WithZone("").Unmap())
	case a.Zone() != "":
		return errZone
	}
	return nil
}

// AddAddr adds one address. An invalid or IPv4-mapped address, or one with a zone, is an error and adds nothing.
func (b *Builder) AddAddr(a netip.Addr) error {
	if err := checkAddr(a); err != nil {
		return err
	}
	if a.Is4() {
		b.addrs4.push(value4(a))
	} else {
		b.addrs6.push(value6(a))
	}
	return nil
}

// AddPrefix adds all addresses of a prefix. Host bits that are set are an error that names the prefix meant.
func (b *Builder) AddPrefix(p netip.Prefix) error {
	if err := checkAddr(p.Addr()); err != nil {
		return err
	}
	if !p.IsValid() {
		return fmt.Errorf("prefix length must be from 0 to %d", p.Addr().BitLen())
	}
	if p.Masked() != p {
		return fmt.Errorf("host bits are set, the prefix is %s", p.Masked())
	}
	span, ipv6 := spanOf(p)
	b.addSpan(span, ipv6)
	return nil
}

// AddRange adds the addresses from first to last, both included.
func (b *Builder) AddRange(first, last netip.Addr) error {
	if err := checkAddr(first); err != nil {
		return err
	}
	if err := checkAddr(last); err != nil {
		return err
	}
	if first.Is4() != last.Is4() {
		return errFamily
	}
	if last.Less(first) {
		return errOrder
	}
	if first.Is4() {
		b.addSpan(Range6{wide(value4(first)), wide(value4(last))}, false)
	} else {
		b.addSpan(Range6{value6(first), value6(last)}, true)
	}
	return nil
}

// AddSet adds everything another set holds.
func (b *Builder) AddSet(s *Set) {
	for k := range NumKinds {
		p := s.part(k)
		for i := range p.len() {
			b.addSpan(p.at(i), k.IPv6())
		}
	}
}

// addSpan adds a widened range; one of a single address goes to the single addresses.
func (b *Builder) addSpan(r Range6, ipv6 bool) {
	switch single := r.Lo == r.Hi; {
	case ipv6 && single:
		b.addrs6.push(r.Lo)
	case ipv6:
		b.ranges6.push(r)
	case single:
		b.addrs4.push(uint32(r.Lo.Lo))
	default:
		b.ranges4.push(Range4{uint32(r.Lo.Lo), uint32(r.Hi.Lo)})
	}
}

// Len is the number of entries added so far, duplicates included.
func (b *Builder) Len() int {
	return b.addrs4.len() + b.ranges4.len() + b.addrs6.len() + b.ranges6.len()
}

// Build gives the set of all that was added, in normal form, and empties the builder.
func (b *Builder) Build() *Set {
	s := &Set{parts: [NumKinds]Part{
		Addrs4:  {Kind: Addrs4, Addrs4: b.addrs4.take()},
		Ranges4: {Kind: Ranges4, Ranges4: b.ranges4.take()},
		Addrs6:  {Kind: Addrs6, Addrs6: b.addrs6.take()},
		Ranges6: {Kind: Ranges6, Ranges6: b.ranges6.take()},
	}}
	for k := range NumKinds {
		s.parts[k].sort()
	}
	s.parts[Ranges4].mergeRanges()
	s.parts[Ranges6].mergeRanges()
	s.parts[Addrs4].dropCovered(&s.parts[Ranges4])
	s.parts[Addrs6].dropCovered(&s.parts[Ranges6])
	return s
}

// chunkLen bounds what growing wastes: 256 KiB of IPv4 addresses, 2 MiB of IPv6 ranges.
const chunkLen = 1 << 16

// chunks is a list that grows without copying what it holds. A doubling slice would allocate five times the result
// on the way to a million entries; this allocates it twice, once here and once in take.
type chunks[T any] struct {
	full [][]T
	last []T
}

func (c *chunks[T]) push(v T) {
	if len(c.last) == chunkLen {
		c.full = append(c.full, c.last)
		c.last = make([]T, 0, chunkLen)
	}
	// Until the first chunk is full the slice grows as usual, so that small lists stay small.
	c.last = append(c.last, v)
}

func (c *chunks[T]) len() int { return len(c.full)*chunkLen + len(c.last) }

// take gives everything as one slice of exactly that size and empties the list.
func (c *chunks[T]) take() []T {
	if c.len() == 0 {
		return nil
	}
	all := make([]T, 0, c.len())
	for i, chunk := range c.full {
		all = append(all, chunk...)
		c.full[i] = nil
	}
	all = append(all, c.last...)
	*c = chunks[T]{}
	return all
}
