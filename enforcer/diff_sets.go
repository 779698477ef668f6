package enforcer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

func (d *differ) sets() {
	have := index(d.actual.Sets, func(s *Set) string { return s.Name })
	want := index(d.desired.Sets, func(s *Set) string { return s.Name })
	for i := range d.actual.Sets {
		if s := &d.actual.Sets[i]; want[s.Name] == nil {
			d.op(phaseDeleteSets, Op{Verb: Delete, Address: addressOf(s.Name), Set: s})
			d.differs(addressOf(s.Name), DriftExtra, s.kindName())
		}
	}
	for i := range d.desired.Sets {
		d.set(have[d.desired.Sets[i].Name], &d.desired.Sets[i])
	}
}

func (d *differ) set(have, want *Set) {
	address := orAddressOf(want.Address, want.Name)
	switch {
	case have == nil:
		d.differs(address, DriftMissing, want.kindName())
		d.addSet(want)
	case !sameSpecification(have, want):
		d.differs(address, DriftChanged, want.kindName())
		d.replaceSet(have, want)
	case want.Live() && have.Size != want.Size:
		// Adding a set that is there changes its size in place; whoever is in it stays.
		d.differs(address, DriftChanged, want.kindName())
		d.op(phaseAddSets, Op{Verb: Add, Address: address, Set: want})
	case want.Live():
	case have.Listed:
		d.elements(have, want)
	case want.Members != nil || d.markerOf(d.desired, want.Name) != nil:
		d.members(have, want)
	default:
		d.differs(address, DriftChanged, "content of "+want.kindName())
		d.replaceSet(have, want)
	}
}

// sameSpecification compares everything the kernel fixes when a set is made. A list's set may keep a size that still
// fits: making it anew would mean sending all of it.
func sameSpecification(have, want *Set) bool {
	size := have.Size == want.Size || want.Live()
	if want.Members != nil {
		size = have.Size >= partRoom(*want.Members)/2 && int(have.Size) >= want.Members.Len() && have.Size <= 8*want.Size
	}
	return size && have.Raw == nil && want.Raw == nil && slices.Equal(have.Key, want.Key) && have.Verdicts == want.Verdicts &&
		have.Interval == want.Interval && have.Dynamic == want.Dynamic && have.Timeout == want.Timeout && have.Expires == want.Expires
}

// replaceSet makes a set anew under its name. Rules refer to it, so all of them must leave and come back.
func (d *differ) replaceSet(have, want *Set) {
	d.rewrite = true
	d.op(phaseDeleteSets, Op{Verb: Delete, Address: orAddressOf(want.Address, want.Name), Set: have})
	d.addSet(want)
}

func (d *differ) addSet(want *Set) {
	address := orAddressOf(want.Address, want.Name)
	d.op(phaseAddSets, Op{Verb: Add, Address: address, Set: want})
	if part := d.content(d.desired, want); part != nil && part.Len() > 0 {
		d.op(phaseAddElements, Op{Verb: Add, Address: address, InSet: want, Members: part})
	}
	for address, elements := range byAddress(want.Elements) {
		d.op(phaseAddElements, Op{Verb: Add, Address: orAddressOf(address, want.Name), InSet: want, Elements: elements})
		if address != want.Address {
			d.differs(orAddressOf(address, want.Name), DriftMissing, "entries of "+want.kindName())
		}
	}
}

// byAddress groups elements by the declaration they serve, in order, so that a refused message names it.
func byAddress(elements []Element) func(yield func(string, []Element) bool) {
	return func(yield func(string, []Element) bool) {
		groups := map[string][]Element{}
		var order []string
		for _, e := range elements {
			if groups[e.Address] == nil {
				order = append(order, e.Address)
			}
			groups[e.Address] = append(groups[e.Address], e)
		}
		for _, address := range order {
			if !yield(address, groups[address]) {
				return
			}
		}
	}
}

// members changes the content of a list's set by what separates it from the one its marker records. A set whose
// element count is not what was put in has been edited by somebody and is made anew.
func (d *differ) members(have, want *Set) {
	address := orAddressOf(want.Address, want.Name)
	now, then := d.content(d.desired, want), d.markerOf(d.actual, want.Name)
	if now == nil {
		return // put-back of content nobody has kept: what is there is the best there is
	}
	untouched := then != nil && countFits(have, then.Count)
	if untouched && then.Digest == d.markerOf(d.desired, want.Name).Digest {
		return
	}
	d.differs(address, DriftChanged, "content of "+want.kindName())
	if untouched && d.old != nil {
		if before, known := d.old.Part(then.Digest); known && before.Kind == now.Kind {
			d.changeMembers(address, want, before, *now)
			return
		}
	}
	d.replaceSet(have, want)
}

func (d *differ) changeMembers(address string, set *Set, before, now addrset.Part) {
	added, removed := addrset.DiffParts(before, now)
	if removed.Len() > 0 {
		d.op(phaseDeleteElements, Op{Verb: Delete, Address: address, InSet: set, Members: &removed})
	}
	if added.Len() > 0 {
		d.op(phaseAddElements, Op{Verb: Add, Address: address, InSet: set, Members: &added})
	}
}

// countFits says whether the kernel's element count agrees with what the marker recorded, or is not known (before
// Linux 6.16).
func countFits(s *Set, recorded int) bool { return s.Count < 0 || s.Count == recorded }

// content is what a list's set holds: in a desired ruleset it is there, in one that was read the marker names it.
func (d *differ) content(r *Ruleset, s *Set) *addrset.Part {
	if s.Members != nil || s.Listed {
		return s.Members
	}
	marker := d.markerOf(r, s.Name)
	if marker == nil || d.old == nil {
		return nil
	}
	part, known := d.old.Part(marker.Digest)
	if !known {
		return nil
	}
	return &part
}

// markerOf reads what a ruleset records of a list's set.
func (d *differ) markerOf(r *Ruleset, set string) *Marker {
	address := addressOf(set)
	suffix, found := strings.CutPrefix(set, address+".")
	if !found {
		return nil
	}
	chain := d.chainsOf[r][markerPrefix+address]
	if chain == nil {
		return nil
	}
	for _, rule := range chain.Rules {
		fields := strings.Fields(rule.Comment)
		if len(fields) != 4 || fields[0] != address || fields[1] != suffix {
			continue
		}
		if n, err := strconv.Atoi(fields[2]); err == nil {
			return &Marker{Count: n, Digest: fields[3]}
		}
	}
	return nil
}

func (s *Set) kindName() string {
	if s.Verdicts {
		return "map " + s.Name
	}
	return "set " + s.Name
}
