package addrset

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
)

// Addr6 is an IPv6 address as two big-endian halves, so that comparing is two integer comparisons.
type Addr6 struct{ Hi, Lo uint64 }

// Range4 is the closed range of IPv4 addresses Lo-Hi, in host order of their 32-bit value.
type Range4 struct{ Lo, Hi uint32 }

// Range6 is the closed range of IPv6 addresses Lo-Hi.
type Range6 struct{ Lo, Hi Addr6 }

// Compare orders addresses as numbers: negative, zero or positive.
func (a Addr6) Compare(b Addr6) int {
	if c := cmp.Compare(a.Hi, b.Hi); c != 0 {
		return c
	}
	return cmp.Compare(a.Lo, b.Lo)
}

// Less says whether a comes before b.
func (a Addr6) Less(b Addr6) bool { return a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo }

// Next is the address behind a; ok is false for the last of all, which has none.
func (a Addr6) Next() (next Addr6, ok bool) {
	if a.Lo < math.MaxUint64 {
		return Addr6{a.Hi, a.Lo + 1}, true
	}
	return Addr6{a.Hi + 1, 0}, a.Hi < math.MaxUint64
}

// Addr is the address as netip has it.
func (a Addr6) Addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return netip.AddrFrom16(b)
}

// Addr4 is the IPv4 address of a 32-bit value, as netip has it.
func Addr4(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

// value4 is the 32-bit value of an IPv4 address.
func value4(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// value6 is the value of an IPv6 address, without its zone.
func value6(a netip.Addr) Addr6 {
	b := a.As16()
	return Addr6{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// wide widens an IPv4 value, so that what follows is written once for both families. Nothing ever compares a widened
// address with an IPv6 one: the parts keep the families apart.
func wide(v uint32) Addr6 { return Addr6{Lo: uint64(v)} }

// lastOf is the last address of the block of 2^hostBits addresses that begins at lo.
func lastOf(lo Addr6, hostBits int) Addr6 {
	if hostBits >= 64 {
		return Addr6{lo.Hi | (1<<(hostBits-64) - 1), math.MaxUint64}
	}
	return Addr6{lo.Hi, lo.Lo | (1<<hostBits - 1)}
}

// spanOf gives the first and last address of a prefix, widened, and whether it is IPv6. Host bits are ignored.
func spanOf(p netip.Prefix) (span Range6, ipv6 bool) {
	p = p.Masked()
	if p.Addr().Is4() {
		lo := wide(value4(p.Addr()))
		return Range6{lo, lastOf(lo, 32-p.Bits())}, false
	}
	lo := value6(p.Addr())
	return Range6{lo, lastOf(lo, 128-p.Bits())}, true
}

// at is the i-th element, widened; a single address is a range of itself.
func (p *Part) at(i int) Range6 {
	switch p.Kind {
	case Addrs4:
		v := wide(p.Addrs4[i])
		return Range6{v, v}
	case Ranges4:
		r := p.Ranges4[i]
		return Range6{wide(r.Lo), wide(r.Hi)}
	case Addrs6:
		return Range6{p.Addrs6[i], p.Addrs6[i]}
	default:
		return p.Ranges6[i]
	}
}

// set replaces the i-th element by a widened one that fits the part's kind.
func (p *Part) set(i int, r Range6) {
	switch p.Kind {
	case Addrs4:
		p.Addrs4[i] = uint32(r.Lo.Lo)
	case Ranges4:
		p.Ranges4[i] = Range4{uint32(r.Lo.Lo), uint32(r.Hi.Lo)}
	case Addrs6:
		p.Addrs6[i] = r.Lo
	default:
		p.Ranges6[i] = r
	}
}

// push appends a widened element that fits the part's kind.
func (p *Part) push(r Range6) {
	switch p.Kind {
	case Addrs4:
		p.Addrs4 = append(p.Addrs4, uint32(r.Lo.Lo))
	case Ranges4:
		p.Ranges4 = append(p.Ranges4, Range4{uint32(r.Lo.Lo), uint32(r.Hi.Lo)})
	case Addrs6:
		p.Addrs6 = append(p.Addrs6, r.Lo)
	default:
		p.Ranges6 = append(p.Ranges6, r)
	}
}

// truncate keeps the first n elements.
func (p *Part) truncate(n int) {
	switch p.Kind {
	case Addrs4:
		p.Addrs4 = p.Addrs4[:n]
	case Ranges4:
		p.Ranges4 = p.Ranges4[:n]
	case Addrs6:
		p.Addrs6 = p.Addrs6[:n]
	default:
		p.Ranges6 = p.Ranges6[:n]
	}
}

// capacity is how many elements there is room for.
func (p *Part) capacity() int {
	switch p.Kind {
	case Addrs4:
		return cap(p.Addrs4)
	case Ranges4:
		return cap(p.Ranges4)
	case Addrs6:
		return cap(p.Addrs6)
	default:
		return cap(p.Ranges6)
	}
}

// reserve makes room for exactly n elements, which append's own growth would round up.
func (p *Part) reserve(n int) {
	switch p.Kind {
	case Addrs4:
		p.Addrs4 = append(make([]uint32, 0, n), p.Addrs4...)
	case Ranges4:
		p.Ranges4 = append(make([]Range4, 0, n), p.Ranges4...)
	case Addrs6:
		p.Addrs6 = append(make([]Addr6, 0, n), p.Addrs6...)
	default:
		p.Ranges6 = append(make([]Range6, 0, n), p.Ranges6...)
	}
}
