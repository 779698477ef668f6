package bans

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAddressesAndRangesAreBanned(t *testing.T) {
	w := newWorld(t)
	added := w.add(Place{}, "192.0.2.1", "192.0.2.2/32 1m", "192.0.2.0/24 forever", "2001:db8::1", "2001:db8::/64", "10.0.0.1-10.0.0.9")
	if added.Addresses != 3 || added.Ranges != 3 {
		t.Errorf("%+v", added)
	}
	w.want("10.0.0.1-10.0.0.9 1h0m0s", "192.0.2.0/24 forever", "192.0.2.1 1h0m0s", "192.0.2.2 1m0s", "2001:db8::/64 1h0m0s", "2001:db8::1 1h0m0s")
}

// An address or range that is banned again gets its new time, longer or shorter; within one request the longest wins.
func TestBanningAgainSetsTheTime(t *testing.T) {
	for _, source := range []string{"192.0.2.1", "192.0.2.0/24", "2001:db8::/64"} {
		for _, to := range []string{"1m", "2h", "forever"} {
			w := newWorld(t)
			w.add(Place{}, source+" 1h")
			w.add(Place{}, source+" "+to)
			want, _ := ParseFor(to)
			if text := source + " " + want.String(); to != "forever" {
				w.want(text)
			} else {
				w.want(source + " forever")
			}
		}
		w := newWorld(t)
		w.add(Place{}, source+" 1h", source+" 2h", source+" 1m")
		w.want(source + " 2h0m0s")
	}
}

func ungrouped(Place) (Grouping, bool) { return Grouping{}, false }

// Many addresses are first taken for new ones; one that is not has them all added anew.
func TestManyAddresses(t *testing.T) {
	w := newWorld(t)
	var lines []string
	for i := range 3 * many {
		lines = append(lines, fmt.Sprintf("10.0.%d.%d 1h", i/256, i%256))
	}
	w.add(Place{}, lines...)
	if len(w.list()) != len(lines) || w.kernel.commits != 1 {
		t.Errorf("%d bans in %d commits", len(w.list()), w.kernel.commits)
	}
	w.add(Place{}, lines...)
	if len(w.list()) != len(lines) || w.kernel.commits != 3 {
		t.Errorf("%d bans in %d commits", len(w.list()), w.kernel.commits)
	}
}

// Each address stays banned until the latest end of all ranges that cover it.
func TestOverlappingRanges(t *testing.T) {
	tests := []struct {
		name          string
		before, added []string
		want          []string
		covered, cut  int
	}{
		{"in a longer one", []string{"10.0.0.0/8 2h"}, []string{"10.1.0.0/16 1h"}, []string{"10.0.0.0/8 2h0m0s"}, 1, 0},
		{"in one as long", []string{"10.0.0.0/8 1h"}, []string{"10.1.0.0/16 1h"}, []string{"10.0.0.0/8 1h0m0s"}, 1, 0},
		{"in a shorter one", []string{"10.0.0.0/8 1h"}, []string{"10.1.0.0/16 2h"},
			[]string{"10.0.0.0/16 1h0m0s", "10.1.0.0/16 2h0m0s", "10.2.0.0-10.255.255.255 1h0m0s"}, 0, 1},
		{"over a shorter one", []string{"10.1.0.0/16 1h"}, []string{"10.0.0.0/8 2h"}, []string{"10.0.0.0/8 2h0m0s"}, 0, 1},
		{"over a longer one", []string{"10.1.0.0/16 2h"}, []string{"10.0.0.0/8 1h"},
			[]string{"10.0.0.0/16 1h0m0s", "10.1.0.0/16 2h0m0s", "10.2.0.0-10.255.255.255 1h0m0s"}, 0, 0},
		{"over one without end", []string{"10.1.0.0/16 forever"}, []string{"10.0.0.0/15 1h"},
			[]string{"10.0.0.0/16 1h0m0s", "10.1.0.0/16 forever"}, 0, 0},
		{"side by side", []string{"10.0.0.0/9 1h"}, []string{"10.128.0.0/9 1h"}, []string{"10.0.0.0/9 1h0m0s", "10.128.0.0/9 1h0m0s"}, 0, 0},
		{"across", []string{"10.0.0.0-10.0.0.20 1h"}, []string{"10.0.0.10-10.0.0.30 2h"},
			[]string{"10.0.0.0-10.0.0.9 1h0m0s", "10.0.0.10-10.0.0.30 2h0m0s"}, 0, 1},
		{"in one request", nil, []string{"10.0.0.0/8 1h", "10.1.0.0/16 2h", "10.1.1.0/24 1m"},
			[]string{"10.0.0.0/16 1h0m0s", "10.1.0.0/16 2h0m0s", "10.2.0.0-10.255.255.255 1h0m0s"}, 1, 0},
		{"everything", []string{"255.0.0.0/8 2h", "0.0.0.0/8 1h"}, []string{"0.0.0.0/0 1h"},
			[]string{"0.0.0.0/8 1h0m0s", "1.0.0.0-254.255.255.255 1h0m0s", "255.0.0.0/8 2h0m0s"}, 0, 0},
		{"down to an address", []string{"10.0.0.0/31 1h"}, []string{"10.0.0.1-10.0.0.2 2h"}, []string{"10.0.0.0 1h0m0s", "10.0.0.1-10.0.0.2 2h0m0s"}, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.before != nil {
				w.add(Place{}, tt.before...)
			}
			added := w.add(Place{}, tt.added...)
			w.want(tt.want...)
			if len(added.Covered) != tt.covered || len(added.Cut) != tt.cut {
				t.Errorf("covered %v, cut %v", added.Covered, added.Cut)
			}
			for _, c := range added.Covered {
				if !c.By.First.IsValid() || !c.By.covers(c.Span) {
					t.Errorf("%v is said to be covered by %v", c.Span, c.By)
				}
			}
		})
	}
}

// What is cut keeps its reason, and one can still end it as what it was.
func TestBansThatWereCut(t *testing.T) {
	w := newWorld(t)
	w.add(Place{}, "10.0.0.0/8 1h")
	w.again()
	if _, err := w.Add(Place{}, entries(t, "10.1.0.0/16 2h"), Author{Login: "bob", Reason: "worse"}); err != nil {
		t.Fatal(err)
	}
	list, _, err := w.List(nil, ungrouped)
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	w.again()
	list, _, _ = w.List(nil, ungrouped)
	for i, want := range []string{"scans", "worse", "scans"} {
		if list[i].Reason != want {
			t.Errorf("%v: %q, want %q", list[i].Span, list[i].Reason, want)
		}
	}
	if d, err := w.Del(Place{}, []Span{span(t, "10.0.0.0/8")}, false, alice); err != nil || d.Bans != 1 {
		t.Fatal(d, err)
	}
	w.want()
}

func TestBansOfAPolicyAreGroups(t *testing.T) {
	w := newWorld(t)
	grouped, err := Group(web, Grouping{24, 64}, entries(t, "192.0.2.7", "198.51.100.0/24", "2001:db8::5", "2001:db8:1::/64"))
	if err != nil {
		t.Fatal(err)
	}
	added, err := w.Add(web, grouped, alice)
	if err != nil || added.Addresses != 4 {
		t.Fatal(added, err)
	}
	w.want("192.0.2.0/24 1h0m0s policy.web", "198.51.100.0/24 1h0m0s policy.web", "2001:db8::/64 1h0m0s policy.web", "2001:db8:1::/64 1h0m0s policy.web")
	for _, bad := range []string{"10.0.0.0/8", "192.0.2.0/25", "192.0.2.0-192.0.2.9", "2001:db8::/48"} {
		if _, err := Group(web, Grouping{24, 64}, entries(t, bad)); err == nil || !strings.Contains(err.Error(), "as one source") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := w.Add(Place{Policy: "ssh"}, grouped, alice); !errors.Is(err, ErrNotApplied) {
		t.Errorf("a policy without bans: %v", err)
	}
}

func TestDel(t *testing.T) {
	tests := []struct {
		name   string
		del    []string
		ignore bool
		left   []string
		fails  string
	}{
		{"an address", []string{"192.0.2.1"}, false, []string{"10.0.0.0/8 1h0m0s", "192.0.2.2 1h0m0s"}, ""},
		{"all", []string{"192.0.2.1", "10.0.0.0/8", "192.0.2.2", "192.0.2.1"}, false, nil, ""},
		{"a missing address", []string{"192.0.2.1", "192.0.2.9"}, false, nil, "not banned in host: 192.0.2.9; nothing was changed"},
		{"a missing address, ignored", []string{"192.0.2.1", "192.0.2.9"}, true, []string{"10.0.0.0/8 1h0m0s", "192.0.2.2 1h0m0s"}, ""},
		{"a part of a range", []string{"10.1.0.0/16"}, false, nil, "10.1.0.0/16 (it lies in 10.0.0.0/8, which is)"},
		{"more than a range", []string{"10.0.0.0/7"}, false, nil, "10.0.0.0/7"},
		{"a missing range, ignored", []string{"11.0.0.0/8", "10.0.0.0/8"}, true, []string{"192.0.2.1 1h0m0s", "192.0.2.2 1h0m0s"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.add(Place{}, "192.0.2.1", "192.0.2.2", "10.0.0.0/8")
			var spans []Span
			for _, text := range tt.del {
				spans = append(spans, span(t, text))
			}
			_, err := w.Del(Place{}, spans, tt.ignore, alice)
			var missing *NotBannedError
			switch {
			case tt.fails == "" && err != nil:
				t.Fatal(err)
			case tt.fails != "" && (!errors.As(err, &missing) || !strings.Contains(err.Error(), tt.fails)):
				t.Fatalf("error %v, want %q", err, tt.fails)
			case tt.fails != "":
				tt.left = []string{"10.0.0.0/8 1h0m0s", "192.0.2.1 1h0m0s", "192.0.2.2 1h0m0s"}
			}
			w.want(tt.left...)
		})
	}
}

// Where a range was cut down to one address, that is still in the set of ranges.
func TestDelOfWhatIsLeftOfARange(t *testing.T) {
	w := newWorld(t)
	w.add(Place{}, "10.0.0.0/31 1h")
	w.add(Place{}, "10.0.0.1-10.0.0.2 2h")
	w.want("10.0.0.0 1h0m0s", "10.0.0.1-10.0.0.2 2h0m0s")
	_, err := w.Del(Place{}, []Span{span(t, "10.0.0.1")}, false, alice)
	if err == nil || !strings.Contains(err.Error(), "10.0.0.1 (it lies in 10.0.0.1-10.0.0.2, which is)") {
		t.Errorf("error %v", err)
	}
	if _, err := w.Del(Place{}, []Span{span(t, "10.0.0.0")}, false, alice); err != nil {
		t.Fatal(err)
	}
	w.want("10.0.0.1-10.0.0.2 2h0m0s")
}

func TestFlush(t *testing.T) {
	w := newWorld(t)
	fill := func() {
		w.add(Place{}, "192.0.2.1", "10.0.0.0/8")
		w.add(web, "192.0.2.0/24")
	}
	fill()
	if _, err := w.Flush(&web, alice); err != nil {
		t.Fatal(err)
	}
	w.want("10.0.0.0/8 1h0m0s", "192.0.2.1 1h0m0s")
	fill()
	flushed, err := w.Flush(nil, alice)
	if err != nil || !slices.Equal(flushed.Places, []Place{{}, web}) {
		t.Fatal(flushed, err)
	}
	w.want()
	if _, err := w.Flush(&Place{Policy: "ssh"}, alice); !errors.Is(err, ErrNotApplied) {
		t.Errorf("a policy without bans: %v", err)
	}
}

// What ends or is made while a change is computed has it computed anew; what goes on for ever is told.
func TestOvertakenChangesAreComputedAnew(t *testing.T) {
	w := newWorld(t)
	w.add(Place{}, "10.0.0.0/8 1h")
	set := Place{}.set(false, true)
	w.kernel.before = []func(){func() { clear(w.kernel.held[set]) }}
	w.add(Place{}, "10.1.0.0/16 2h")
	w.want("10.1.0.0/16 2h0m0s")

	w.kernel.before = []func(){func() { clear(w.kernel.held[set]) }}
	_, err := w.Del(Place{}, []Span{span(t, "10.1.0.0/16")}, false, alice)
	if missing := (*NotBannedError)(nil); !errors.As(err, &missing) {
		t.Errorf("error %v", err)
	}
	var restless func()
	restless = func() {
		clear(w.kernel.held[set])
		e := span(t, fmt.Sprintf("10.%d.0.0/16", w.kernel.commits))
		w.kernel.held[set][e] = layered(e)
		w.kernel.before = append(w.kernel.before, restless)
	}
	w.kernel.before = []func(){restless}
	if _, err := w.Add(Place{}, entries(t, "10.0.0.0/8 2h"), alice); !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) {
		t.Errorf("error %v", err)
	}
}

func TestFullTableIsNamed(t *testing.T) {
	w := newWorld(t)
	small := w.kernel.sets["ban.v4"]
	small.Size = 1
	w.kernel.sets["ban.v4"] = small
	_, err := w.Add(Place{}, entries(t, "192.0.2.1", "192.0.2.2"), alice)
	if err == nil || !strings.Contains(err.Error(), "ban.v4 is full") || !errors.Is(err, unix.ENFILE) {
		t.Errorf("error %v", err)
	}
	w.want()
}

func TestListTellsWhatIsKnown(t *testing.T) {
	w := newWorld(t)
	w.add(Place{}, "192.0.2.1 forever", "192.0.2.2 1h")
	w.kernel.held["ban.v4"][span(t, "192.0.2.3")] = layered(span(t, "192.0.2.3")) // by nft, say
	w.kernel.held["policy.web.ban.v4"][span(t, "192.0.2.0")] = layered(span(t, "192.0.2.0"))
	w.clock.time = noon.Add(time.Minute)
	w.again()
	list, _, err := w.List(nil, ungrouped)
	if err != nil || len(list) != 4 {
		t.Fatal(list, err)
	}
	type known struct {
		since      time.Time
		by, reason string
	}
	for i, want := range []known{
		{noon, "alice", "scans"}, {noon, "alice", "scans"}, {noon, "", ""}, {noon, "policy.web.ban", ""},
	} {
		if got := (known{list[i].Since, list[i].By, list[i].Reason}); got != want {
			t.Errorf("%v: %v, want %v", list[i].Span, got, want)
		}
	}
}
