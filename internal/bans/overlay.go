package bans

import (
	"cmp"
	"container/heap"
	"math"
	"net/netip"
	"slices"
	"time"
)

// The kernel keeps ranges in a tree in which no two may overlap, and refuses one that does. So bans of ranges are laid
// over each other here, such that each address stays banned until the latest end of all that cover it: what is covered
// at least as long is left out, what ends sooner gives way where a longer ban begins and goes on behind it.

// layer is one range ban, held by the kernel already or new.
type layer struct {
	Span
	timeout, left time.Duration // as in nft.TimedElement, except that left is never 0 while there is a timeout
	held          bool
	pieces        []Span // what remains of it, in order
}

// ends orders layers by what is left of them.
func (l *layer) ends() time.Duration {
	if l.timeout == Forever {
		return math.MaxInt64
	}
	return l.left
}

// whole says that the layer stands as it is.
func (l *layer) whole() bool { return len(l.pieces) == 1 && l.pieces[0] == l.Span }

// overlay finds what remains of each layer. Layers are of one address family; it takes n log n time.
func overlay(layers []*layer) {
	slices.SortStableFunc(layers, func(a, b *layer) int { return a.compare(b.Span) })
	var open longestFirst
	var at netip.Addr
	for next := 0; next < len(layers) || len(open) > 0; {
		if len(open) == 0 {
			at = layers[next].First
		}
		for next < len(layers) && !at.Less(layers[next].First) {
			heap.Push(&open, layers[next])
			next++
		}
		for len(open) > 0 && open[0].Last.Less(at) {
			heap.Pop(&open)
		}
		if len(open) == 0 {
			continue
		}
		end := open[0].Last
		if next < len(layers) && !end.Less(layers[next].First) {
			end = layers[next].First.Prev()
		}
		open[0].gain(Span{at, end})
		if at = end.Next(); !at.IsValid() {
			return // the end of the address space
		}
	}
}

// gain gives the layer a piece, joined to the one before it where they touch.
func (l *layer) gain(s Span) {
	if last := len(l.pieces) - 1; last >= 0 && l.pieces[last].Last.Next() == s.First {
		l.pieces[last].Last = s.Last
		return
	}
	l.pieces = append(l.pieces, s)
}

// longestFirst is a heap of the layers that may cover the address looked at. Of those that end together the one that
// the kernel holds wins, then the wider one, so that as little as possible is cut.
type longestFirst []*layer

func (h longestFirst) Len() int { return len(h) }
func (h longestFirst) Less(i, j int) bool {
	a, b := h[i], h[j]
	if c := cmp.Compare(b.ends(), a.ends()); c != 0 {
		return c < 0
	}
	if a.held != b.held {
		return a.held
	}
	return a.compare(b.Span) < 0
}
func (h longestFirst) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *longestFirst) Push(x any) { *h = append(*h, x.(*layer)) }

// Pop implements heap.Interface.
func (h *longestFirst) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
