package addrset

// DiffParts gives what must be added to old and deleted from it to make it new. The parts are of one kind and in
// normal form; the results are too, except that ranges in add and del may touch or overlap each other: a range that
// changed its bounds is deleted and added. It takes time linear in both.
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
			i++
			j++
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
