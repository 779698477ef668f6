package addrset

// DiffParts gives what must be added to old and deleted from it to make it new. The parts are of one kind and in
// normal form; the results are too, except that ranges in add and del may touch or overlap each other: a range that
// changed its bounds is deleted and added. It takes time linear in both, little of it where they are the same.
func DiffParts(old, new Part) (add, del Part) {
	if old.Kind != new.Kind {
		panic("addrset: DiffParts of a " + old.Kind.String() + " and a " + new.Kind.String() + " part")
	}
	add.Kind, del.Kind = new.Kind, old.Kind
	i, j := 0, 0
	for i < old.len() && j < new.len() {
		a, b := old.at(i), new.at(j)
		switch {
		case a == b:
			n := max(old.sameRun(i, &new, j), 1)
			i, j = i+n, j+n
		case a.Lo.Less(b.Lo) || a.Lo == b.Lo && a.Hi.Less(b.Hi):
			del.push(a)
			i++
		default:
			add.push(b)
			j++
		}
	}
	for ; i < old.len(); i++ {
		del.push(old.at(i))
	}
	for ; j < new.len(); j++ {
		add.push(new.at(j))
	}
	return add, del
}

// stride is how many elements are compared at once. An update of a big list leaves long runs of it as they were.
const stride = 64

// sameRun is how many elements from i of p and from j of q are surely the same, in whole strides. Comparing arrays lets
// the machine compare memory and not one element after the other.
func (p *Part) sameRun(i int, q *Part, j int) int {
	switch p.Kind {
	case Addrs4:
		return sameStrides(p.Addrs4[i:], q.Addrs4[j:])
	case Ranges4:
		return sameStrides(p.Ranges4[i:], q.Ranges4[j:])
	case Addrs6:
		return sameStrides(p.Addrs6[i:], q.Addrs6[j:])
	default:
		return sameStrides(p.Ranges6[i:], q.Ranges6[j:])
	}
}

func sameStrides[T comparable](a, b []T) int {
	n := 0
	for len(a)-n >= stride && len(b)-n >= stride && *(*[stride]T)(a[n:]) == *(*[stride]T)(b[n:]) {
		n += stride
	}
	return n
}
