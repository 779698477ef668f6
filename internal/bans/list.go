package bans

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
)

// List gives the bans in force, of one place or, for nil, of all, sorted by place and address: the host's first.
// grouping tells how a policy counts sources; where it does not know, a group shows as its first address. journal is
// why reasons could not be read; the list is complete without.
func (k *Keeper) List(only *Place, grouping func(Place) (Grouping, bool)) (list []Ban, journal, err error) {
	sets, err := k.banSets(only)
	if err != nil {
		return nil, nil, err
	}
	notes, journal := k.notes()
	now := k.now()
	for _, set := range sets {
		place, _ := placeOf(set.Name)
		elements, err := k.kernel.TimedElements(set)
		if err != nil {
			return nil, nil, err
		}
		g, known := Grouping{}, false
		if place.Policy != "" {
			g, known = grouping(place)
		}
		list = slices.Grow(list, len(elements))
		for _, e := range elements {
			b := Ban{Span: Span{e.First, e.Last}, Place: place, Left: e.Left, Permanent: e.Timeout == 0}
			if known {
				if p, err := e.First.Prefix(g.bits(e.First)); err == nil && p.Addr() == e.First {
					b.Span = spanOf(p)
				}
			}
			if e.Timeout > 0 {
				b.Since = now.Add(e.Left - e.Timeout)
			}
			b.explain(notes)
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b Ban) int {
		return cmp.Or(cmp.Compare(a.Place.Policy, b.Place.Policy), a.compare(b.Span))
	})
	return list, journal, nil
}

// explain adds what the journal knows. What it does not know in a policy's set, the policy itself has put there.
func (b *Ban) explain(notes map[noteKey]note) {
	n, ok := notes[noteKey{b.Place, b.Span}]
	switch {
	case ok:
		b.Since, b.By, b.Reason = n.since, n.Login, n.Reason
	case b.Place.Policy != "":
		b.By = b.Place.String() + ".ban"
	}
}

// banSets gives the sets of one place or of all.
func (k *Keeper) banSets(only *Place) ([]nft.TimedSet, error) {
	if only != nil {
		return k.sets(*only)
	}
	all, err := k.kernel.TimedSets()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s nft.TimedSet) bool {
		_, ok := placeOf(s.Name)
		return !ok
	})
	if len(all) == 0 {
		return nil, fmt.Errorf("bans: %w", ErrNotApplied)
	}
	return all, nil
}

// Flushed is where all bans were ended.
type Flushed struct {
	Places  []Place
	Journal error // as in Added
}

// Flush ends all bans of one place or, for nil, of all, in one transaction. Whom a policy remembers as a repeat
// offender stays remembered.
func (k *Keeper) Flush(only *Place, author Author) (*Flushed, error) {
	sets, err := k.banSets(only)
	if err != nil {
		return nil, err
	}
	out := &Flushed{}
	var steps []nft.TimedStep
	for _, set := range sets {
		place, _ := placeOf(set.Name)
		if !slices.Contains(out.Places, place) {
			out.Places = append(out.Places, place)
		}
		steps = append(steps, nft.TimedStep{Verb: enforcer.Flush, Set: set})
	}
	if err := k.kernel.CommitTimed(steps); err != nil {
		return nil, err
	}
	slices.SortFunc(out.Places, func(a, b Place) int { return cmp.Compare(a.Policy, b.Policy) })
	var records []record
	for _, p := range out.Places {
		records = append(records, record{Time: k.now().UTC(), Action: actionFlush, In: p.String(), Author: author})
	}
	out.Journal = k.journal.append(records)
	return out, nil
}
