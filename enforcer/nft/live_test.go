package nft_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// liveTable has what a policy leaves behind: counters that have counted and sets that rules have filled.
const liveTable = `
table inet tcpguard {
	counter policy.web.accepted { packets 7 bytes 420 }
	counter ban { packets 1 bytes 60 }
	set policy.web.shadow.v4 {
		type ipv4_addr; size 65536; flags dynamic,timeout; timeout 1h
		elements = { 192.0.2.7 counter packets 41 bytes 2460, 192.0.2.9 counter packets 2 bytes 120 timeout 1h expires 30m }
	}
	set policy.web.shadow.v6 {
		type ipv6_addr; size 65536; flags dynamic,timeout; timeout 1h
		elements = { 2001:db8:1:: counter packets 3 bytes 240 }
	}
	set policy.web.ban.v4 { type ipv4_addr; size 100; flags dynamic,timeout; elements = { 198.51.100.1 timeout 1h, 198.51.100.2 } }
	set ban.v4.net { type ipv4_addr; size 2097152; flags interval,timeout; elements = { 203.0.113.0/24 timeout 1h, 198.18.0.0/15 } }
	set list.bad.v4 { type ipv4_addr; elements = { 192.0.2.1 } }
	chain input {
		type filter hook input priority 0; policy accept;
		ip saddr 192.0.2.1 counter name policy.web.accepted
	}
}`

func newLive(t *testing.T) kernel {
	t.Helper()
	nettest.NeedProgram(t, "nft")
	k := newKernel(t)
	nettest.NftLoad(t, k.ns, liveTable)
	return k
}

// counts gives the sizes of live sets by name, as text.
func counts(sets []enforcer.Set) string {
	var parts []string
	for i := range sets {
		if sets[i].Live() {
			parts = append(parts, fmt.Sprintf("%s=%d/%d", sets[i].Name, sets[i].Count, sets[i].Size))
		}
	}
	return strings.Join(parts, " ")
}

func TestLiveTellsCountersAndHowFullSetsAre(t *testing.T) {
	k := newLive(t)
	live, err := k.Live()
	if err != nil {
		t.Fatal(err)
	}
	want := []enforcer.Counter{{Name: "ban", Packets: 1, Bytes: 60}, {Name: "policy.web.accepted", Packets: 7, Bytes: 420}}
	if !live.Exists || !slices.Equal(live.Counters, want) {
		t.Errorf("counters are %+v, want %+v", live.Counters, want)
	}
	const wantCounts = "ban.v4.net=2/2097152 policy.web.ban.v4=2/100 policy.web.shadow.v4=2/65536 policy.web.shadow.v6=1/65536"
	if got := counts(live.Sets); got != wantCounts {
		t.Errorf("sets hold\n%s\nwant\n%s", got, wantCounts)
	}
}

// TestOlderKernelsSetsAreCounted hides what this kernel says; each row is what counting may cost.
func TestOlderKernelsSetsAreCounted(t *testing.T) {
	k := newLive(t)
	for _, c := range []struct {
		name  string
		most  uint32
		until time.Time
		want  string
	}{
		{"all that are small enough", 1 << 16, time.Now().Add(time.Minute),
			"ban.v4.net=-1/2097152 policy.web.ban.v4=2/100 policy.web.shadow.v4=2/65536 policy.web.shadow.v6=1/65536"},
		{"only the smallest", 100, time.Now().Add(time.Minute),
			"ban.v4.net=-1/2097152 policy.web.ban.v4=2/100 policy.web.shadow.v4=-1/65536 policy.web.shadow.v6=-1/65536"},
		{"ranges by their starts", 1 << 22, time.Now().Add(time.Minute),
			"ban.v4.net=2/2097152 policy.web.ban.v4=2/100 policy.web.shadow.v4=2/65536 policy.web.shadow.v6=1/65536"},
		{"none when the time is up", 1 << 22, time.Now().Add(-time.Second),
			"ban.v4.net=-1/2097152 policy.web.ban.v4=-1/100 policy.web.shadow.v4=-1/65536 policy.web.shadow.v6=-1/65536"},
	} {
		t.Run(c.name, func(t *testing.T) {
			live, err := k.Live()
			if err != nil {
				t.Fatal(err)
			}
			for i := range live.Sets {
				live.Sets[i].Count = -1
			}
			if err := k.CountLive(live.Sets, c.most, c.until); err != nil {
				t.Fatal(err)
			}
			if got := counts(live.Sets); got != c.want {
				t.Errorf("sets hold\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestLiveWithoutATable(t *testing.T) {
	live, err := newKernel(t).Live()
	if err != nil || live.Exists || len(live.Counters)+len(live.Sets) > 0 {
		t.Errorf("got %+v (%v), want nothing", live, err)
	}
}

func TestCountedElements(t *testing.T) {
	k := newLive(t)
	for set, want := range map[string][]nft.CountedElement{
		"policy.web.shadow.v4": {
			{Addr: netip.MustParseAddr("192.0.2.7"), Packets: 41, Bytes: 2460, Timeout: time.Hour, Left: time.Hour},
			{Addr: netip.MustParseAddr("192.0.2.9"), Packets: 2, Bytes: 120, Timeout: time.Hour, Left: 30 * time.Minute},
		},
		"policy.web.shadow.v6": {{Addr: netip.MustParseAddr("2001:db8:1::"), Packets: 3, Bytes: 240, Timeout: time.Hour, Left: time.Hour}},
		// Without counters there is nothing counted, and a set that is not there holds nothing.
		"list.bad.v4": {{Addr: netip.MustParseAddr("192.0.2.1")}},
		"missing":     nil,
	} {
		got, err := k.CountedElements(&enforcer.Set{Name: set, Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			// The time since the table was loaded has passed.
			got[i].Left = got[i].Left.Truncate(time.Minute)
			if i < len(want) && want[i].Left-got[i].Left <= time.Minute {
				got[i].Left = want[i].Left
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s holds\n%+v\nwant\n%+v", set, got, want)
		}
	}
}
