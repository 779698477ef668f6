package bans

import (
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
)

// fakeKernel keeps timed sets as the kernel does, to the errors it gives.
type fakeKernel struct {
	sets    map[string]nft.TimedSet
	held    map[string]map[Span]nft.TimedElement
	before  []func() // each is called once, before a commit: what others do in the meantime
	commits int
}

func newFake(places ...Place) *fakeKernel {
	f := &fakeKernel{sets: map[string]nft.TimedSet{}, held: map[string]map[Span]nft.TimedElement{}}
	add := func(s nft.TimedSet) { f.sets[s.Name], f.held[s.Name] = s, map[Span]nft.TimedElement{} }
	for _, p := range places {
		for _, ipv6 := range []bool{false, true} {
			add(nft.TimedSet{Name: p.set(ipv6, false), IPv6: ipv6, Size: 200_000})
			if p.Policy == "" {
				add(nft.TimedSet{Name: p.set(ipv6, true), IPv6: ipv6, Ranges: true, Size: 400_000})
			} else {
				add(nft.TimedSet{Name: p.set(ipv6, false) + ".strikes.0123abcd", IPv6: ipv6})
				add(nft.TimedSet{Name: "policy." + p.Policy + ".ban.level1.v4", IPv6: ipv6})
			}
		}
	}
	return f
}

func (f *fakeKernel) TimedSets() ([]nft.TimedSet, error) {
	var sets []nft.TimedSet
	for _, s := range f.sets {
		sets = append(sets, s)
	}
	slices.SortFunc(sets, func(a, b nft.TimedSet) int { return compareStrings(a.Name, b.Name) })
	return sets, nil
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (f *fakeKernel) TimedElements(s nft.TimedSet) ([]nft.TimedElement, error) {
	var es []nft.TimedElement
	for _, e := range f.held[s.Name] {
		es = append(es, e)
	}
	slices.SortFunc(es, func(a, b nft.TimedElement) int { return a.First.Compare(b.First) })
	return es, nil
}

func (f *fakeKernel) HoldsTimed(s nft.TimedSet, a netip.Addr) (bool, error) {
	_, found := f.held[s.Name][Span{a, a}]
	return found, nil
}

func (f *fakeKernel) CommitTimed(steps []nft.TimedStep) error {
	f.commits++
	if len(f.before) > 0 {
		f.before[0]()
		f.before = f.before[1:]
	}
	after := map[string]map[Span]nft.TimedElement{}
	for name, es := range f.held {
		after[name] = map[Span]nft.TimedElement{}
		for s, e := range es {
			after[name][s] = e
		}
	}
	for _, step := range steps {
		set, ok := after[step.Set.Name]
		if !ok {
			return &nft.TimedError{Verb: step.Verb, Set: step.Set.Name, Errno: unix.ENOENT}
		}
		if step.Verb == enforcer.Flush {
			clear(set)
		}
		for _, e := range step.Elements {
			if errno := take(step, set, e); errno != 0 {
				return &nft.TimedError{Verb: step.Verb, Set: step.Set.Name, Addr: e.First, Errno: errno}
			}
		}
	}
	f.held = after
	return nil
}

func take(step nft.TimedStep, set map[Span]nft.TimedElement, e nft.TimedElement) unix.Errno {
	s := Span{e.First, e.Last}
	_, there := set[s]
	switch {
	case step.Verb == enforcer.Delete && !there:
		return unix.ENOENT
	case step.Verb == enforcer.Delete:
		delete(set, s)
		return 0
	case there && step.Verb == nft.Create:
		return unix.EEXIST
	case there:
		return 0 // and it keeps its time, as before Linux 6.12
	case len(set) >= int(step.Set.Size):
		return unix.ENFILE
	}
	if step.Set.Ranges && len(set) < 64 { // only the small sets of tests about overlaps are compared
		for other := range set {
			if other.overlaps(s) {
				return unix.EEXIST
			}
		}
	}
	if e.Left == 0 {
		e.Left = e.Timeout
	}
	set[s] = e
	return 0
}

// clock is a time that a test moves.
type clock struct{ time time.Time }

func (c *clock) now() time.Time { return c.time }

var noon = time.Date(2026, 5, 9, 12, 0, 0, 0, time.UTC)

var web = Place{Policy: "web"}

type world struct {
	*Keeper
	t      *testing.T
	kernel *fakeKernel
	clock  *clock
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := &clock{noon}
	kernel := newFake(Place{}, web)
	return &world{
		Keeper: NewKeeper(kernel, NewJournal(filepath.Join(t.TempDir(), "state"), c.now)), t: t, kernel: kernel, clock: c,
	}
}

// again is a later run of the program.
func (w *world) again() { w.Keeper = NewKeeper(w.kernel, w.journal) }

func span(t testing.TB, text string) Span {
	t.Helper()
	s, err := ParseSpan(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

// entries reads lines such as "10.0.0.0/8 1h".
func entries(t testing.TB, lines ...string) []Entry {
	t.Helper()
	var es []Entry
	for _, l := range lines {
		e, err := parseLine(l, time.Hour)
		if err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		es = append(es, e)
	}
	return es
}

var alice = Author{UID: 1000, Login: "alice", Reason: "scans"}

func (w *world) add(p Place, lines ...string) *Added {
	w.t.Helper()
	added, err := w.Add(p, entries(w.t, lines...), alice)
	if err != nil {
		w.t.Fatal(err)
	}
	if added.Journal != nil {
		w.t.Error(added.Journal)
	}
	return added
}

// list gives each ban as "ADDRESS LEFT".
func (w *world) list() []string {
	w.t.Helper()
	w.again()
	list, journal, err := w.List(nil, func(Place) (Grouping, bool) { return Grouping{24, 64}, true })
	if err != nil || journal != nil {
		w.t.Fatal(err, journal)
	}
	var lines []string
	for _, b := range list {
		left := b.Left.String()
		if b.Permanent {
			left = "forever"
		}
		where := ""
		if b.Place != (Place{}) {
			where = " " + b.Place.String()
		}
		lines = append(lines, b.Span.String()+" "+left+where)
	}
	return lines
}

func (w *world) want(lines ...string) {
	w.t.Helper()
	if got := w.list(); !slices.Equal(got, lines) {
		w.t.Errorf("bans are\n%q, want\n%q", got, lines)
	}
}

// layered is an element that was added for two minutes one minute ago, at noon plus one.
func layered(s Span) (e nft.TimedElement) {
	return nft.TimedElement{First: s.First, Last: s.Last, Timeout: 2 * time.Minute, Left: time.Minute}
}
