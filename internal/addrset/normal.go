package addrset

import (
	"cmp"
	"slices"
)

// sort orders the part and, for single addresses, drops duplicates. Ranges still have to be merged.
func (p *Part) sort() {
	switch p.Kind {
	case Addrs4:
		sort4(p.Addrs4)
		p.Addrs4 = slices.Compact(p.Addrs4)
	case Ranges4:
		slices.SortFunc(p.Ranges4, func(a, b Range4) int { return cmp.Compare(a.Lo, b.Lo) })
	case Addrs6:
		slices.SortFunc(p.Addrs6, Addr6.Compare)
		p.Addrs6 = slices.Compact(p.Addrs6)
	default:
		slices.SortFunc(p.Ranges6, func(a, b Range6) int { return a.Lo.Compare(b.Lo) })
	}
}

// sort4 sorts in place. A million addresses take a fifth of the time slices.Sort needs, and no memory: they are
// distributed by their first byte, each pile by the second and so on, until a pile is small.
func sort4(v []uint32) {
	if !slices.IsSorted(v) {
		radixSort(v, 24)
	}
}

// smallPile is where comparing becomes cheaper than distributing over 256 piles; measured, and not sensitive.
const smallPile = 96

// radixSort is an American flag sort: count, then permute in place by following each cycle.
func radixSort(v []uint32, shift uint) {
	var next, end [256]int
	for _, x := range v {
		end[byte(x>>shift)]++
	}
	sum := 0
	for i, n := range end {
		next[i] = sum
		sum += n
		end[i] = sum
	}
	for pile := range next {
		for next[pile] < end[pile] {
			x := v[next[pile]]
			for to := byte(x >> shift); int(to) != pile; to = byte(x >> shift) {
				x, v[next[to]] = v[next[to]], x
				next[to]++
			}
			v[next[pile]] = x
			next[pile]++
		}
	}
	if shift == 0 {
		return
	}
	start := 0
	for _, stop := range end {
		if pile := v[start:stop]; len(pile) > smallPile {
			radixSort(pile, shift-8)
		} else {
			slices.Sort(pile)
		}
		start = stop
	}
}

// mergeRanges joins sorted ranges that overlap or touch.
func (p *Part) mergeRanges() {
	kept := 0
	for i := range p.len() {
		r := p.at(i)
		if kept > 0 {
			last := p.at(kept - 1)
			// Without a next address the last range reaches the end of the address space and swallows the rest.
			if next, ok := last.Hi.Next(); !ok || !next.Less(r.Lo) {
				if last.Hi.Less(r.Hi) {
					last.Hi = r.Hi
					p.set(kept-1, last)
				}
				continue
			}
		}
		p.set(kept, r)
		kept++
	}
	p.truncate(kept)
}

// dropCovered removes the single addresses that lie in one of the ranges; both are sorted, ranges are merged.
func (p *Part) dropCovered(ranges *Part) {
	if ranges.len() == 0 {
		return
	}
	kept, r := 0, 0
	for i := range p.len() {
		a := p.at(i)
		for r < ranges.len() && ranges.at(r).Hi.Less(a.Lo) {
			r++
		}
		if r < ranges.len() && !a.Lo.Less(ranges.at(r).Lo) {
			continue
		}
		p.set(kept, a)
		kept++
	}
	p.truncate(kept)
}
