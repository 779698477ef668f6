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

// Addr6 is an IPv6 address as two big-endian halves, so that comparing is two integer comparisons.
type Addr6 struct{ Hi, Lo uint64 }

// Range4 is the closed range of IPv4 addresses Lo-Hi, in host order of their 32-bit value.
type Range4 struct{ Lo, Hi uint32 }

// Range6 is the closed range of IPv6 addresses Lo-Hi.
type Range6 struct{ Lo, Hi Addr6 }

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
func (p Part) Len() int {
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

// Set is a set of addresses in normal form. The zero Set is empty.
type Set struct{ parts [NumKinds]Part }

// Part gives one of the four pieces. The slices are shared: do not change them.
func (s *Set) Part(k Kind) Part {
	p := s.parts[k]
	p.Kind = k
	return p
}

// Len is the number of addresses and ranges in the set, counting a range as one.
func (s *Set) Len() int {
	n := 0
	for k := range NumKinds {
		n += s.Part(k).Len()
	}
	return n
}
