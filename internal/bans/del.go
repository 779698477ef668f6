package bans

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
)

// Deleted is what became of bans that were to end.
type Deleted struct {
	Place   Place
	Bans    int // how many ended
	Missing []Missing
	Journal error // as in Added
}

// Del ends bans in one transaction. A range is ended by its own bounds, also when a longer ban has cut it into pieces;
// of a policy, by the group. Sources that are not banned are a *NotBannedError, or with ignoreMissing left out.
func (k *Keeper) Del(place Place, spans []Span, ignoreMissing bool, author Author) (*Deleted, error) {
	sets, err := k.sets(place)
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, Span.compare)
	sorted = slices.Compact(sorted)
	// At first it is taken for granted that single addresses are there; only a refusal has them looked up.
	for attempt := 0; ; attempt++ {
		d := deletion{kernel: k.kernel, place: place, lookUp: attempt > 0}
		for _, set := range sets {
			if err := d.from(set, sorted); err != nil {
				return nil, err
			}
		}
		if d.asked < len(sorted) {
			return nil, fmt.Errorf("a set for some of these bans of %s: %w", place, ErrNotApplied)
		}
		if err := d.amongRanges(sets); err != nil {
			return nil, err
		}
		if len(d.missing) > 0 && !ignoreMissing {
			return nil, &NotBannedError{place, d.missing}
		}
		err := k.kernel.CommitTimed(d.steps)
		switch {
		case err == nil:
			out := &Deleted{Place: place, Bans: d.bans, Missing: d.missing}
			if d.bans > 0 {
				out.Journal = k.journal.append([]record{{
					Time: k.now().UTC(), Action: actionDel, In: place.String(), Author: author, Bans: d.texts,
				}})
			}
			return out, nil
		case attempt >= attempts || !errors.Is(err, unix.ENOENT):
			return nil, err
		}
	}
}

// deletion is a transaction in the making.
type deletion struct {
	kernel  Kernel
	place   Place
	lookUp  bool
	steps   []nft.TimedStep
	texts   []string
	missing []Missing
	asked   int // spans that some set is for
	bans    int
}

// from takes those spans out of a set that belong into it.
func (d *deletion) from(set nft.TimedSet, spans []Span) error {
	var own []Span
	for _, s := range spans {
		if s.First.Is6() == set.IPv6 && (d.place.Policy != "" || s.Single() != set.Ranges) {
			own = append(own, s)
		}
	}
	if len(own) == 0 {
		return nil
	}
	d.asked += len(own)
	find := d.singles
	if set.Ranges {
		find = d.ranges
	}
	elements, err := find(set, own)
	if len(elements) > 0 {
		d.steps = append(d.steps, nft.TimedStep{Verb: enforcer.Delete, Set: set, Elements: elements})
	}
	return err
}

func (d *deletion) found(s Span) {
	d.bans++
	d.texts = append(d.texts, s.String())
}

func (d *deletion) singles(set nft.TimedSet, spans []Span) (elements []nft.TimedElement, err error) {
	for _, s := range spans {
		if d.lookUp {
			found, err := d.kernel.HoldsTimed(set, s.First)
			if err != nil {
				return nil, err
			}
			if !found {
				d.missing = append(d.missing, Missing{Span: s})
				continue
			}
		}
		d.found(s)
		elements = append(elements, nft.TimedElement{First: s.First, Last: s.First})
	}
	return elements, nil
}

// amongRanges looks for addresses that are missing in the sets of ranges: a longer ban may have cut a range down to one.
func (d *deletion) amongRanges(sets []nft.TimedSet) error {
	if !slices.ContainsFunc(d.missing, func(m Missing) bool { return m.Single() }) {
		return nil
	}
	for _, set := range sets {
		var own []Span
		others := slices.DeleteFunc(slices.Clone(d.missing), func(m Missing) bool {
			ours := set.Ranges && m.Single() && m.First.Is6() == set.IPv6
			if ours {
				own = append(own, m.Span)
			}
			return ours
		})
		if len(own) == 0 {
			continue
		}
		d.missing = others
		elements, err := d.ranges(set, own)
		if err != nil {
			return err
		}
		if len(elements) > 0 {
			d.steps = append(d.steps, nft.TimedStep{Verb: enforcer.Delete, Set: set, Elements: elements})
		}
	}
	return nil
}

// ranges finds the pieces of each range. They are its ban only if nothing of it is left out.
func (d *deletion) ranges(set nft.TimedSet, spans []Span) (elements []nft.TimedElement, err error) {
	held, err := d.kernel.TimedElements(set)
	if err != nil {
		return nil, err
	}
	taken := map[Span]bool{}
	for _, s := range spans {
		first, _ := slices.BinarySearchFunc(held, s, func(e nft.TimedElement, s Span) int { return e.Last.Compare(s.First) })
		pieces, whole, within := piecesOf(held[first:], s)
		if !whole {
			d.missing = append(d.missing, Missing{s, within})
			continue
		}
		d.found(s)
		for _, p := range pieces {
			if piece := (Span{p.First, p.Last}); !taken[piece] {
				taken[piece] = true
				elements = append(elements, p)
				if piece != s {
					d.texts = append(d.texts, piece.String())
				}
			}
		}
	}
	return elements, nil
}

// piecesOf looks at the elements from the first that reaches the span: those within it, whether they fill it without a
// gap, and an element that is wider than the span.
func piecesOf(held []nft.TimedElement, s Span) (pieces []nft.TimedElement, whole bool, within Span) {
	at := s.First
	for _, h := range held {
		e := Span{h.First, h.Last}
		if !e.overlaps(s) {
			break
		}
		if !s.covers(e) {
			if e.covers(s) {
				within = e
			}
			return nil, false, within
		}
		if e.First != at {
			return nil, false, within
		}
		pieces = append(pieces, h)
		if at = e.Last.Next(); e.Last == s.Last {
			return pieces, true, within
		}
	}
	return nil, false, within
}
