// Package addrset holds large sets of IP addresses compactly: four bytes an IPv4 address, sixteen an IPv6 address.
// A Set is in normal form: sorted, without duplicates, ranges merged, single addresses apart from ranges, because the
// kernel looks single addresses up in a hash table and ranges in a tree.
package addrset

// Kind names one of the four parts of a Set; each becomes one kernel set.
type Kind int

// The parts of a Set.
const (
	Addrs4  Kind = iota // single IPv4 addresses
	Ranges4             // IPv4 ranges of two or more addresses
	Addrs6              // single IPv6 addresses
	Ranges6             // IPv6 ranges of two or more addresses
	NumKinds
)

// String gives the name a kernel set of this kind carries behind its list's name: "v4", "v4.net", "v6" or "v6.net".
func (k Kind) String() string {
	switch k {
	case Addrs4:
		return "v4"
	case Ranges4:
		return "v4.net"
	case Addrs6:
		return "v6"
	case Ranges6:
		return "v6.net"
	default:
		return "unknown"
	}
}

// IPv6 says whether the kind holds IPv6 addresses.
func (k Kind) IPv6() bool { return k == Addrs6 || k == Ranges6 }

// Ranges says whether the kind holds ranges.
func (k Kind) Ranges() bool { return k == Ranges4 || k == Ranges6 }

// Part is one homogeneous piece of a Set: only the slice of its Kind is used. It is sorted and free of duplicates;
// ranges in it neither overlap nor touch.
type Part struct {
	Kind    Kind
	Addrs4  []uint32
	Ranges4 []Range4
	Addrs6  []Addr6
	Ranges6 []Range6
}

// Len is the number of addresses or ranges in the part.
func (p Part) Len() int { return p.len() }

func (p *Part) len() int {
	switch p.Kind {
	case Addrs4:
		return len(p.Addrs4)
	case Ranges4:
		return len(p.Ranges4)
	case Addrs6:
		return len(p.Addrs6)
	default:
		return len(p.Ranges6)
	}
}

// Set is a set of addresses in normal form. The zero Set is empty; a nil *Set may be asked everything and is empty
// too. The normal form keeps what was written: two neighbouring single addresses stay single addresses and a range of
// the same two stays a range, although both hold the same addresses.
type Set struct{ parts [NumKinds]Part }

// Part gives one of the four pieces. The slices are shared: do not change them.
func (s *Set) Part(k Kind) Part {
	if s == nil {
		return Part{Kind: k}
	}
	p := s.parts[k]
	p.Kind = k
	return p
}

// part is Part without copying; for a nil Set it is an empty one.
func (s *Set) part(k Kind) *Part {
	if s == nil {
		return &Part{Kind: k}
	}
	p := &s.parts[k]
	if p.Kind == k {
		return p
	}
	// The zero Set has never been told its kinds.
	return &Part{Kind: k}
}

// Len is the number of addresses and ranges in the set, counting a range as one.
func (s *Set) Len() int {
	n := 0
	for k := range NumKinds {
		n += s.part(k).len()
	}
	return n
}

// HasIPv4 says whether the set holds any IPv4 address.
func (s *Set) HasIPv4() bool { return s.part(Addrs4).len()+s.part(Ranges4).len() > 0 }

// HasIPv6 says whether the set holds any IPv6 address.
func (s *Set) HasIPv6() bool { return s.part(Addrs6).len()+s.part(Ranges6).len() > 0 }
