package enforcer

import (
	"strings"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

// elements compares a set that was read whole, entry by entry.
func (d *differ) elements(have, want *Set) {
	desired := want.Elements
	if part := d.content(d.desired, want); part != nil {
		desired = partElements(*part)
	}
	there := make(map[string]Element, len(have.Elements))
	for _, e := range have.Elements {
		there[e.identity()] = e
	}
	var added, removed []Element
	for _, e := range desired {
		key := e.identity()
		old, found := there[key]
		delete(there, key)
		if found && sameVerdict(old.Verdict, e.Verdict) {
			continue
		}
		kind := DriftMissing
		if found {
			kind = DriftChanged
			removed = append(removed, old)
		}
		d.differs(d.elementAddress(want, e), kind, e.keyText(want.Key)+" in "+want.kindName())
		added = append(added, e)
	}
	for _, e := range have.Elements {
		if _, unasked := there[e.identity()]; unasked {
			removed = append(removed, e)
			d.differs(d.elementAddress(want, e), DriftExtra, e.keyText(want.Key)+" in "+want.kindName())
		}
	}
	d.elementOps(phaseDeleteElements, Delete, want, removed)
	d.elementOps(phaseAddElements, Add, want, added)
}

func (d *differ) elementOps(phase int, verb Verb, set *Set, elements []Element) {
	for i := range elements {
		elements[i].Address = d.elementAddress(set, elements[i])
	}
	for address, group := range byAddress(elements) {
		d.op(phase, Op{Verb: verb, Address: address, InSet: set, Elements: group})
	}
}

// elementAddress is the policy an entry of a verdict map leads to, else what its set belongs to.
func (d *differ) elementAddress(s *Set, e Element) string {
	switch {
	case e.Address != "":
		return e.Address
	case e.Verdict != nil && e.Verdict.Chain != "":
		return policyOf(e.Verdict.Chain)
	default:
		return orAddressOf(s.Address, s.Name)
	}
}

// policyOf is the policy whose chain it is: "policy.web" for "policy.web.deny".
func policyOf(chain string) string {
	if parts := strings.SplitN(chain, ".", 3); len(parts) >= 2 && parts[0] == "policy" {
		return parts[0] + "." + parts[1]
	}
	return addressOf(chain)
}

// identity is the entry's key; a single key and a range of one are the same.
func (e Element) identity() string {
	end := e.KeyEnd
	if end == nil {
		end = e.Key
	}
	return string(e.Key) + string(end)
}

func sameVerdict(a, b *Verdict) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// partElements writes a list's content as entries, for comparing with a small set that was read whole.
func partElements(p addrset.Part) []Element {
	out := make([]Element, 0, p.Len())
	for first, last := range p.All() {
		e := Element{Key: first.AsSlice()}
		if p.Kind.Ranges() {
			e.KeyEnd = last.AsSlice()
		}
		out = append(out, e)
	}
	return out
}
