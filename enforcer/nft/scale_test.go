package nft_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/addrset"
)

// A million addresses and a hundred thousand ranges go in, change and go out again, each in one transaction, and the
// batch is the only thing of their size that is allocated. The bounds on time are ten times what was measured.
func TestListsAtScale(t *testing.T) {
	if testing.Short() {
		t.Skip("needs seconds: not with -short")
	}
	ranges := &addrset.Part{Kind: addrset.Ranges4, Ranges4: make([]addrset.Range4, 100_000)}
	for i := range ranges.Ranges4 {
		ranges.Ranges4[i] = addrset.Range4{Lo: uint32(i) << 14, Hi: uint32(i)<<14 + 255}
	}
	for name, tt := range map[string]struct {
		members *addrset.Part
		delta   addrset.Part
		batch   uint64 // bytes
	}{
		"addresses": {addresses(1_000_000), addrset.Part{Kind: addrset.Addrs4, Addrs4: addresses(1_000_000).Addrs4[500_000:501_000]}, 17 << 20},
		"ranges":    {ranges, addrset.Part{Kind: addrset.Ranges4, Ranges4: ranges.Ranges4[50_000:51_000]}, 5 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			set := listSet(tt.members.Kind)
			set.Size = 1 << 21
			k.commit(t, addTable, enforcer.Op{Verb: enforcer.Add, Set: set})
			timed := func(what string, bound time.Duration, op enforcer.Op) {
				t.Helper()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				k.commit(t, op)
				took := time.Since(start)
				runtime.ReadMemStats(&after)
				allocated := after.TotalAlloc - before.TotalAlloc
				t.Logf("%s: %v, %d KiB allocated", what, took.Round(time.Millisecond/10), allocated>>10)
				if took > bound {
					t.Errorf("%s took %v, more than %v", what, took, bound)
				}
				if allocated > tt.batch {
					t.Errorf("%s allocated %d bytes, more than %d", what, allocated, tt.batch)
				}
			}
			count := func(want int) {
				t.Helper()
				if got := k.read(t).Sets[0]; got.Count != -1 && got.Count != want {
					t.Errorf("%d elements, want %d", got.Count, want)
				}
			}
			timed("first load", 20*time.Second, enforcer.Op{Verb: enforcer.Add, InSet: set, Members: tt.members})
			count(tt.members.Len())
			timed("1000 out", time.Second, enforcer.Op{Verb: enforcer.Delete, InSet: set, Members: &tt.delta})
			count(tt.members.Len() - 1000)
			timed("1000 in", time.Second, enforcer.Op{Verb: enforcer.Add, InSet: set, Members: &tt.delta})
			count(tt.members.Len())
			timed("all out", 20*time.Second, enforcer.Op{Verb: enforcer.Delete, InSet: set, Members: tt.members})
			count(0)
		})
	}
}
