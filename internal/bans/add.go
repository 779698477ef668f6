package bans

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
)

// Added is what became of sources that were to be banned.
type Added struct {
	Place     Place
	Addresses int       // single addresses, or groups of a policy, that are banned now
	Ranges    int       // ranges that are banned now
	Covered   []Covered // ranges that were left out
	Cut       []Span    // bans of before that gave way to longer ones in them
	// Journal is why the reasons could not be written down; nil when they could. The bans are in force.
	Journal error
}

// Covered is a range that another ban covers for at least as long.
type Covered struct{ Span, By Span }

// attempts bounds how often a change is computed anew because bans ended or were made meanwhile.
const attempts = 5

// Add bans the entries in one transaction; one that is banned already gets its new time. For a policy, entries are its
// groups (see Group). Errors: ErrNotApplied, nft's, one that names the full set.
func (k *Keeper) Add(place Place, entries []Entry, author Author) (*Added, error) {
	sets, err := k.sets(place)
	if err != nil {
		return nil, err
	}
	sorted := longestOfEach(entries)
	for attempt := 1; ; attempt++ {
		c := change{keeper: k, place: place, sets: sets, added: &Added{Place: place}, hopeful: attempt == 1}
		if err := c.add(sorted, author); err != nil {
			return nil, err
		}
		err := k.kernel.CommitTimed(c.steps)
		switch {
		case err == nil:
			c.added.Journal = k.journal.append(c.records)
			return c.added, nil
		case attempt < attempts && overtaken(err):
			continue
		}
		return nil, full(err, sets)
	}
}

// overtaken says that a refusal may come from bans that ended or were made since the kernel was read.
func overtaken(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOTEMPTY)
}

// full words the refusal of a full set.
func full(err error, sets []nft.TimedSet) error {
	var refused *nft.TimedError
	if !errors.As(err, &refused) || refused.Errno != unix.ENFILE {
		return err
	}
	for _, s := range sets {
		if s.Name == refused.Set {
			return fmt.Errorf("the table of bans %s is full, it has room for %d elements; nothing was changed: %w", s.Name, s.Size, err)
		}
	}
	return err
}

// longestOfEach sorts entries and leaves the longest of those with equal addresses.
func longestOfEach(entries []Entry) []Entry {
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b Entry) int {
		return cmp.Or(a.compare(b.Span), cmp.Compare(b.sortTime(), a.sortTime()))
	})
	return slices.CompactFunc(sorted, func(a, b Entry) bool { return a.Span == b.Span })
}

func (e Entry) sortTime() time.Duration {
	if e.For == Forever {
		return math.MaxInt64
	}
	return e.For
}

// change is a transaction in the making.
type change struct {
	keeper  *Keeper
	place   Place
	sets    []nft.TimedSet
	steps   []nft.TimedStep
	records []record
	added   *Added
	// hopeful takes it that of many addresses none is banned yet, which takes a third of the time.
	hopeful bool
}

// many is from how many addresses on it pays to be hopeful.
const many = 1000

func (c *change) step(verb enforcer.Verb, set nft.TimedSet, elements []nft.TimedElement) {
	if len(elements) > 0 {
		c.steps = append(c.steps, nft.TimedStep{Verb: verb, Set: set, Elements: elements})
	}
}

// add fills the transaction, a set at a time.
func (c *change) add(entries []Entry, author Author) error {
	now, left := c.keeper.now(), len(entries)
	for _, set := range c.sets {
		var own []Entry
		for _, e := range entries {
			if e.First.Is6() == set.IPv6 && (c.place.Policy != "" || e.Single() != set.Ranges) {
				own = append(own, e)
			}
		}
		left -= len(own)
		switch {
		case len(own) == 0:
		case set.Ranges:
			if err := c.addRanges(set, own, now, author); err != nil {
				return err
			}
		default:
			c.addSingles(set, own)
			c.added.Addresses += len(own)
			c.record(own, now, author)
		}
	}
	if left > 0 {
		return fmt.Errorf("a set for some of these bans of %s: %w", c.place, ErrNotApplied)
	}
	return nil
}

// addSingles adds, deletes and adds again: a kernel before Linux 6.12 keeps the time of an element that is there, and
// deleting one that is not there would fail.
func (c *change) addSingles(set nft.TimedSet, entries []Entry) {
	elements := make([]nft.TimedElement, len(entries))
	for i, e := range entries {
		elements[i] = nft.TimedElement{First: e.First, Last: e.First, Timeout: e.For}
	}
	if c.hopeful && len(elements) >= many {
		c.step(nft.Create, set, elements)
		return
	}
	c.step(enforcer.Add, set, elements)
	c.step(enforcer.Delete, set, elements)
	c.step(enforcer.Add, set, elements)
}

// addRanges lays the new ranges over those that the kernel holds.
func (c *change) addRanges(set nft.TimedSet, entries []Entry, now time.Time, author Author) error {
	held, err := c.keeper.kernel.TimedElements(set)
	if err != nil {
		return err
	}
	layers, fresh, gone := layersOf(held, entries)
	overlay(layers)
	var put []nft.TimedElement
	var recorded []Entry
	for _, l := range layers {
		switch {
		case l.held && l.whole():
			continue
		case l.held:
			gone = append(gone, l.element(l.Span))
			c.added.Cut = append(c.added.Cut, l.Span)
			if err := c.recordPieces(l); err != nil {
				c.added.Journal = err
			}
		case len(l.pieces) == 0:
			c.added.Covered = append(c.added.Covered, Covered{Span: l.Span})
		default:
			c.added.Ranges++
		}
		for _, p := range l.pieces {
			put = append(put, l.element(p))
			if !l.held {
				recorded = append(recorded, Entry{p, fresh[l]})
			}
		}
	}
	nameCovers(c.added.Covered, layers)
	c.step(enforcer.Delete, set, gone)
	c.step(enforcer.Add, set, put)
	c.record(recorded, now, author)
	return nil
}

// layersOf gives the layers, the time of each new one, and what the kernel holds that a new one replaces.
func layersOf(held []nft.TimedElement, entries []Entry) (layers []*layer, fresh map[*layer]time.Duration, gone []nft.TimedElement) {
	again := make(map[Span]bool, len(entries))
	fresh = make(map[*layer]time.Duration, len(entries))
	for _, e := range entries {
		again[e.Span] = true
		l := &layer{Span: e.Span, timeout: e.For, left: e.For}
		layers, fresh[l] = append(layers, l), e.For
	}
	for _, h := range held {
		if s := (Span{h.First, h.Last}); again[s] {
			gone = append(gone, h)
		} else {
			layers = append(layers, &layer{Span: s, timeout: h.Timeout, left: max(h.Left, time.Millisecond), held: true})
		}
	}
	return layers, fresh, gone
}

// element gives a piece of the layer as the kernel takes it: what is left of a ban of before stays what it is.
func (l *layer) element(s Span) nft.TimedElement {
	e := nft.TimedElement{First: s.First, Last: s.Last, Timeout: l.timeout}
	if l.held && l.timeout > 0 {
		e.Left = min(l.left, l.timeout)
	}
	return e
}

// nameCovers finds the layers that hold, after all, what is covered.
func nameCovers(covered []Covered, layers []*layer) {
	if len(covered) == 0 {
		return
	}
	type owned struct{ piece, by Span }
	var pieces []owned
	for _, l := range layers {
		for _, p := range l.pieces {
			pieces = append(pieces, owned{p, l.Span})
		}
	}
	slices.SortFunc(pieces, func(a, b owned) int { return a.piece.compare(b.piece) })
	for i := range covered {
		at, _ := slices.BinarySearchFunc(pieces, covered[i].Span.First, func(o owned, a netip.Addr) int { return o.piece.Last.Compare(a) })
		if at < len(pieces) && pieces[at].piece.overlaps(covered[i].Span) {
			covered[i].By = pieces[at].by
		}
	}
}

// perRecord bounds a line of the journal, so that shortening it never drops all of a huge request.
const perRecord = 10_000

// record notes why entries are banned, in lines of one duration each.
func (c *change) record(entries []Entry, now time.Time, author Author) {
	lines := map[time.Duration]int{}
	for _, e := range entries {
		i, ok := lines[e.For]
		if !ok || len(c.records[i].Bans) == perRecord {
			r := record{Time: now.UTC(), Action: actionAdd, In: c.place.String(), Author: author}
			if e.For > 0 {
				r.Expires = r.Time.Add(e.For)
			}
			i = len(c.records)
			lines[e.For], c.records = i, append(c.records, r)
		}
		c.records[i].Bans = append(c.records[i].Bans, e.Span.String())
	}
}

// recordPieces passes on what is known of a ban to the pieces that it is cut into.
func (c *change) recordPieces(l *layer) error {
	notes, err := c.keeper.notes()
	n, ok := notes[noteKey{c.place, l.Span}]
	if err != nil || !ok || len(l.pieces) == 0 {
		return err
	}
	r := record{Time: n.since, Action: actionAdd, In: c.place.String(), Author: n.Author, Expires: n.expires}
	for _, p := range l.pieces {
		r.Bans = append(r.Bans, p.String())
	}
	c.records = append(c.records, r)
	return nil
}
