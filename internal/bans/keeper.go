package bans

import (
	"fmt"
	"slices"
	"time"

	"github.com/tcpguard/tcpguard/enforcer/nft"
)

// Keeper makes, ends and lists the bans of one network namespace. It is not safe for concurrent use.
type Keeper struct {
	kernel  Kernel
	journal *Journal
	now     func() time.Time
	read    func() (map[noteKey]note, error) // of the journal, once
}

// NewKeeper works on the kernel's sets and writes reasons into the journal.
func NewKeeper(kernel Kernel, journal *Journal) *Keeper {
	return &Keeper{kernel: kernel, journal: journal, now: journal.now}
}

// notes reads the journal once.
func (k *Keeper) notes() (map[noteKey]note, error) {
	if k.read == nil {
		notes, err := k.journal.load()
		k.read = func() (map[noteKey]note, error) { return notes, err }
	}
	return k.read()
}

// sets gives the kernel's sets for a place's bans: addresses before ranges, IPv4 before IPv6.
func (k *Keeper) sets(place Place) ([]nft.TimedSet, error) {
	all, err := k.kernel.TimedSets()
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(all, func(s nft.TimedSet) bool {
		p, ok := placeOf(s.Name)
		return !ok || p != place
	})
	if len(own) == 0 {
		return nil, fmt.Errorf("bans of %s: %w", place, ErrNotApplied)
	}
	return own, nil
}

// Group gives entries as a policy bans them: whole groups of sources. An address stands for its group; a range that is
// not one group is an error.
func Group(place Place, g Grouping, entries []Entry) ([]Entry, error) {
	grouped := make([]Entry, len(entries))
	for i, e := range entries {
		bits := g.bits(e.First)
		p, err := e.First.Prefix(bits)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Span, err)
		}
		if !e.Single() && spanOf(p) != e.Span {
			return nil, fmt.Errorf("%s: %s counts each /%d as one source and can ban no other range", e.Span, place, bits)
		}
		grouped[i] = Entry{spanOf(p), e.For}
	}
	return grouped, nil
}
