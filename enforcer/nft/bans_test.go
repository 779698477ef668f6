package nft_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// The sets of a host's bans, and of a policy's.
var (
	ban4     = nft.TimedSet{Name: "ban.v4", Size: 200_000}
	ban4Net  = nft.TimedSet{Name: "ban.v4.net", Ranges: true, Size: 400_000}
	ban6     = nft.TimedSet{Name: "ban.v6", IPv6: true, Size: 8}
	ban6Net  = nft.TimedSet{Name: "ban.v6.net", IPv6: true, Ranges: true, Size: 16}
	policyV4 = nft.TimedSet{Name: "policy.web.ban.v4", Size: 16}
)

// newBans gives a kernel with those sets, and one that is no business of bans.
func newBans(t *testing.T) kernel {
	t.Helper()
	k := newKernel(t)
	ops := []enforcer.Op{addTable}
	for _, s := range []nft.TimedSet{ban4, ban4Net, ban6, ban6Net, policyV4} {
		key := enforcer.KeyIPv4
		if s.IPv6 {
			key = enforcer.KeyIPv6
		}
		ops = append(ops, enforcer.Op{Verb: enforcer.Add, Set: &enforcer.Set{
			Name: s.Name, Key: []enforcer.KeyType{key}, Interval: s.Ranges, Expires: true, Dynamic: s == policyV4, Size: s.Size,
		}})
	}
	static := enforcer.Set{Name: "list.friends.v4", Key: []enforcer.KeyType{enforcer.KeyIPv4}}
	k.commit(t, append(ops, enforcer.Op{Verb: enforcer.Add, Set: &static})...)
	return k
}

// timed reads "first" or "first-last" with a time.
func timed(text string, timeout time.Duration) nft.TimedElement {
	var e nft.TimedElement
	if p, err := netip.ParsePrefix(text); err == nil {
		e.First, e.Last = p.Addr(), p.Addr()
		for netip.PrefixFrom(e.First, p.Bits()).Contains(e.Last.Next()) {
			e.Last = e.Last.Next()
		}
	} else {
		e.First = netip.MustParseAddr(text)
		e.Last = e.First
	}
	e.Timeout = timeout
	return e
}

func (k kernel) change(t *testing.T, steps ...nft.TimedStep) {
	t.Helper()
	if err := k.CommitTimed(steps); err != nil {
		t.Fatal(err)
	}
}

func adding(s nft.TimedSet, es ...nft.TimedElement) nft.TimedStep {
	return nft.TimedStep{Verb: enforcer.Add, Set: s, Elements: es}
}

func deleting(s nft.TimedSet, es ...nft.TimedElement) nft.TimedStep {
	return nft.TimedStep{Verb: enforcer.Delete, Set: s, Elements: es}
}

// holds compares a set's content by address and timeout; what is left must be within the timeout.
func (k kernel) holdsTimed(t *testing.T, s nft.TimedSet, want ...nft.TimedElement) {
	t.Helper()
	got, err := k.TimedElements(s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].Left > got[i].Timeout || got[i].Timeout > 0 && got[i].Left <= 0 {
			t.Errorf("%s: %v has %v left of %v", s.Name, got[i], got[i].Left, got[i].Timeout)
		}
		got[i].Left = 0
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %v, want %v", s.Name, got, want)
	}
}

func TestTimedSetsAreThoseOfBans(t *testing.T) {
	k := newBans(t)
	got, err := k.TimedSets()
	if err != nil {
		t.Fatal(err)
	}
	if want := []nft.TimedSet{ban4, ban4Net, ban6, ban6Net, policyV4}; !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if _, err := newKernel(t).TimedSets(); !errors.Is(err, nft.ErrNoTable) {
		t.Errorf("without a table: %v", err)
	}
}

func TestTimedElementsAreReadBack(t *testing.T) {
	k := newBans(t)
	tests := map[nft.TimedSet][]nft.TimedElement{
		ban4:     {timed("0.0.0.0", 0), timed("192.0.2.1", time.Hour), timed("255.255.255.255", 25*time.Minute)},
		policyV4: {timed("192.0.2.0", 10*365*24*time.Hour)},
		ban6:     {timed("::", 0), timed("2001:db8::1", time.Hour), timed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", time.Hour)},
		// The second touches the first, the last reaches the end of the address space.
		ban4Net: {timed("0.0.0.0/24", time.Minute), timed("0.0.1.0/24", time.Hour), timed("10.0.0.0/30", 0), timed("255.255.255.0/24", time.Hour)},
		ban6Net: {timed("2001:db8::/126", time.Hour), timed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124", 0)},
	}
	for set, elements := range tests {
		t.Run(set.Name, func(t *testing.T) {
			k.change(t, adding(set, elements...))
			k.holdsTimed(t, set, elements...)
			k.change(t, deleting(set, elements[0]))
			k.holdsTimed(t, set, elements[1:]...)
			k.change(t, nft.TimedStep{Verb: enforcer.Flush, Set: set})
			k.holdsTimed(t, set)
		})
	}
}

func TestTimedElementsAreWhatNftReads(t *testing.T) {
	nettest.NeedProgram(t, "nft")
	k := newBans(t)
	ours := []nft.TimedElement{timed("10.0.0.0/24", time.Hour), timed("10.9.0.0/24", 0)}
	k.change(t, adding(ban4Net, ours...))
	const want = "elements = { 10.0.0.0/24 timeout 1h, 10.9.0.0/24 }"
	if got := nettest.NftList(t, k.ns, "set", "inet", "tcpguard", "ban.v4.net"); !strings.Contains(got, want) {
		t.Errorf("nft lists\n%s\nwant %s", got, want)
	}
	// And the other way round: nft brings a null element along, in front of its first range.
	nettest.NftLoad(t, k.ns, `flush set inet tcpguard ban.v4.net
		add element inet tcpguard ban.v4.net { 10.0.0.0/24 timeout 1h, 10.9.0.0/24 }`)
	k.holdsTimed(t, ban4Net, ours...)
}

// Add, delete, add in one batch sets the time anew on every kernel: before Linux 6.12 adding alone kept the old one.
func TestTimedElementsGetANewTime(t *testing.T) {
	for _, set := range []nft.TimedSet{ban4, ban4Net, policyV4} {
		for _, from := range []time.Duration{0, time.Minute, time.Hour} {
			for _, to := range []time.Duration{0, time.Minute, time.Hour} {
				t.Run(fmt.Sprintf("%s %v to %v", set.Name, from, to), func(t *testing.T) {
					k := newBans(t)
					text := "192.0.2.1"
					if set.Ranges {
						text = "192.0.2.0/24"
					}
					k.change(t, adding(set, timed(text, from)))
					e := timed(text, to)
					k.change(t, adding(set, e), deleting(set, e), adding(set, e))
					k.holdsTimed(t, set, e)
				})
			}
		}
	}
}

func TestTimedElementsKeepWhatIsLeft(t *testing.T) {
	k := newBans(t)
	e := timed("192.0.2.0/24", time.Hour)
	e.Left = 10 * time.Minute
	k.change(t, adding(ban4Net, e))
	got, err := k.TimedElements(ban4Net)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if left := got[0].Left; got[0].Timeout != time.Hour || left > 10*time.Minute || left < 9*time.Minute {
		t.Errorf("%v left of %v", left, got[0].Timeout)
	}
}

// A range whose time is up leaves its end behind for a while, which must not become part of another.
func TestTimedElementsEnd(t *testing.T) {
	k := newBans(t)
	stays := timed("10.0.0.0/24", time.Hour)
	k.change(t, adding(ban4Net, stays, timed("10.0.1.0/24", 50*time.Millisecond), timed("10.0.9.0/24", 50*time.Millisecond)),
		adding(ban4, timed("192.0.2.1", 50*time.Millisecond)))
	nettest.Await(t, 5*time.Second, "the times are up", func() bool {
		single, err := k.TimedElements(ban4)
		ranges, err2 := k.TimedElements(ban4Net)
		return err == nil && err2 == nil && len(single) == 0 && len(ranges) == 1
	})
	k.holdsTimed(t, ban4Net, stays)
	// Where something expired there is room.
	k.change(t, adding(ban4Net, timed("10.0.1.0/25", time.Hour)))
	k.holdsTimed(t, ban4Net, stays, timed("10.0.1.0/25", time.Hour))
}

func TestTimedRefusals(t *testing.T) {
	held := timed("192.0.2.1", time.Hour)
	heldNet := timed("10.0.0.0/16", time.Hour)
	nine := make([]nft.TimedElement, 9)
	for i := range nine {
		nine[i] = timed(fmt.Sprintf("2001:db8::%d", i), time.Hour)
	}
	tests := []struct {
		name  string
		steps []nft.TimedStep
		errno syscall.Errno
		addr  string // of the element that the kernel objects to, where it says so
	}{
		{"not there", []nft.TimedStep{deleting(ban4, held, timed("192.0.2.9", 0))}, unix.ENOENT, "192.0.2.9"},
		{"in a later message", []nft.TimedStep{adding(ban6, nine[0]), deleting(ban4, timed("192.0.2.8", 0))}, unix.ENOENT, "192.0.2.8"},
		{"range not there", []nft.TimedStep{deleting(ban4Net, timed("10.1.0.0/16", 0))}, unix.ENOENT, "10.1.0.0"},
		{"range inside another", []nft.TimedStep{adding(ban4Net, timed("10.0.9.0/24", 0))}, unix.EEXIST, "10.0.9.0"},
		{"full", []nft.TimedStep{adding(ban6, nine...)}, unix.ENFILE, "2001:db8::8"},
		{"there already", []nft.TimedStep{{Verb: nft.Create, Set: ban4, Elements: []nft.TimedElement{timed("192.0.2.0", 0), held}}}, unix.EEXIST, "192.0.2.1"},
		{"no such set", []nft.TimedStep{adding(nft.TimedSet{Name: "ban.v5"}, held)}, unix.ENOENT, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newBans(t)
			k.change(t, adding(ban4, held), adding(ban4Net, heldNet))
			err := k.CommitTimed(tt.steps)
			var refused *nft.TimedError
			if !errors.As(err, &refused) || !errors.Is(err, tt.errno) {
				t.Fatalf("error %v, want %v", err, tt.errno)
			}
			if tt.addr != "" && refused.Addr.String() != tt.addr {
				t.Errorf("%v is about %v, want %s", err, refused.Addr, tt.addr)
			}
			k.holdsTimed(t, ban4, held)
			k.holdsTimed(t, ban4Net, heldNet)
			k.holdsTimed(t, ban6)
		})
	}
}

func TestTimedStepsThatCannotBeSent(t *testing.T) {
	k := newBans(t)
	backwards := nft.TimedElement{First: netip.MustParseAddr("10.0.0.2"), Last: netip.MustParseAddr("10.0.0.1")}
	tooLong := timed("10.0.0.1", time.Minute)
	tooLong.Left = time.Hour
	for name, step := range map[string]nft.TimedStep{
		"another family": adding(ban4, timed("::1", 0)), "range among addresses": adding(ban4, timed("10.0.0.0/24", 0)),
		"backwards": adding(ban4Net, backwards), "more left than there is": adding(ban4, tooLong), "no address": adding(ban4, nft.TimedElement{}),
	} {
		t.Run(name, func(t *testing.T) {
			if err := k.CommitTimed([]nft.TimedStep{step}); err == nil {
				t.Error("taken")
			}
		})
	}
	if err := k.CommitTimed(nil); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}

// What others do to the ruleset meanwhile is no reason to refuse a ban.
func TestTimedCommitsNeedNoGeneration(t *testing.T) {
	k := newBans(t)
	other := connect(t, k.ns)
	for i := range 20 {
		other.commit(t, enforcer.Op{Verb: enforcer.Add, Chain: &enforcer.Chain{Name: fmt.Sprint("chain", i)}})
		k.change(t, adding(ban4, timed(fmt.Sprintf("192.0.2.%d", i), time.Hour)))
	}
	if got, err := k.TimedElements(ban4); err != nil || len(got) != 20 {
		t.Errorf("%d elements, %v", len(got), err)
	}
}

// A hundred thousand at once, refreshed as bans are. The bound is some ten times what was measured.
func TestTimedElementsAtScale(t *testing.T) {
	k := newBans(t)
	many := make([]nft.TimedElement, 100_000)
	for i := range many {
		a := netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)})
		many[i] = nft.TimedElement{First: a, Last: a, Timeout: time.Hour}
	}
	for _, what := range []string{"new", "again"} {
		start := time.Now()
		if what == "new" {
			k.change(t, nft.TimedStep{Verb: nft.Create, Set: ban4, Elements: many})
		} else {
			k.change(t, adding(ban4, many...), deleting(ban4, many...), adding(ban4, many...))
		}
		took := time.Since(start)
		t.Logf("%s: %v", what, took)
		if took > 10*time.Second {
			t.Errorf("%s took %v", what, took)
		}
	}
	start := time.Now()
	k.holdsTimed(t, ban4, many...)
	t.Logf("read back: %v", time.Since(start))
	if found, err := k.HoldsTimed(ban4, many[math.MaxUint16].First); err != nil || !found {
		t.Errorf("looked up: %t, %v", found, err)
	}
	if found, err := k.HoldsTimed(ban4, netip.MustParseAddr("9.9.9.9")); err != nil || found {
		t.Errorf("looked up what is not there: %t, %v", found, err)
	}
}
