package bans

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// TestOverlayIsThePointwiseLatestEnd compares with looking at every address of a small world.
func TestOverlayIsThePointwiseLatestEnd(t *testing.T) {
	const size = 24
	// Three worlds: at the beginning, in the middle and at the end of the address space.
	for _, base := range []byte{0, 100, 255 - size + 1} {
		high := byte(0)
		if base > 200 {
			high = 255
		}
		addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{high, high, high, base + byte(i)}) }
		r := rand.New(rand.NewPCG(1, uint64(base)))
		for range 3000 {
			var layers []*layer
			var latest [size]time.Duration
			covered := [size]bool{}
			for range r.IntN(7) {
				from := r.IntN(size)
				to := from + r.IntN(size-from)
				ends := time.Duration(r.IntN(4)) // 0 is for ever
				l := &layer{Span: Span{addr(from), addr(to)}, timeout: ends, left: ends, held: r.IntN(2) == 0}
				layers = append(layers, l)
				for i := from; i <= to; i++ {
					covered[i], latest[i] = true, max(latest[i], l.ends())
				}
			}
			overlay(layers)
			for i := range size {
				a := addr(i)
				owners := 0
				for _, l := range layers {
					for _, p := range l.pieces {
						if !p.covers(Span{a, a}) {
							continue
						}
						owners++
						if !l.covers(p) || l.ends() != latest[i] {
							t.Fatalf("%v is in piece %v of %v, which ends at %v, want %v", a, p, l.Span, l.ends(), latest[i])
						}
					}
				}
				if want := map[bool]int{true: 1}[covered[i]]; owners != want {
					t.Fatalf("%v is in %d pieces, want %d", a, owners, want)
				}
			}
			for _, l := range layers {
				for i := 1; i < len(l.pieces); i++ {
					if l.pieces[i-1].Last.Next() == l.pieces[i].First {
						t.Fatalf("%v and %v of one layer touch", l.pieces[i-1], l.pieces[i])
					}
				}
			}
		}
	}
}

func BenchmarkOverlay(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		layers := make([]*layer, 100_000)
		for i := range layers {
			a := netip.AddrFrom4([4]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 0})
			p, _ := a.Prefix(16 + r.IntN(9))
			layers[i] = &layer{Span: spanOf(p), timeout: time.Hour, left: time.Duration(r.IntN(3600)) * time.Second}
		}
		overlay(layers)
	}
}
