package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
)

// foreignAddress stands for what is in our table and belongs to no declaration.
const foreignAddress = "inet tcpguard"

// drift is how the kernel differs from what is declared for one address.
type drift struct{ missing, changed, extra []string }

// classifier turns differences between the kernel and the declared ruleset into changes a person can judge. The
// differences alone decide what is committed; everything here decides how it is told.
type classifier struct {
	desired *enforcer.Ruleset
	drift   map[string]*drift
	kernel  map[string]string // addresses that the kernel's rule comments name, with their hashes
	record  *applied          // nil when there is none
	pending *pending          // nil unless a run was cut short
	version string
	destroy bool
	objects map[string]string // what each address is compiled to, see objectDigests

	resources map[string]enforcer.Resource
}

// nftables gives the changes of the packet filter, sorted by address.
func (c *classifier) nftables() []Change {
	c.resources = map[string]enforcer.Resource{}
	for _, r := range c.desired.Resources {
		c.resources[r.Address] = r
	}
	var changes, consequences []Change
	for address, d := range c.drift {
		change, consequence := c.change(address, d)
		if consequence {
			consequences = append(consequences, change)
		} else {
			changes = append(changes, change)
		}
	}
	// What merely follows from a change that is shown would only blur it; alone, it must be shown.
	if len(changes) == 0 {
		changes = consequences
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Address, b.Address) })
	return changes
}

// change classifies one address. The second result says that its own declaration is as it was and its objects differ
// because of another's.
func (c *classifier) change(address string, d *drift) (Change, bool) {
	resource, wanted := c.resources[address]
	if !wanted {
		return c.removal(address, d), false
	}
	change := Change{
		Address: address, Kind: KindNFTables, After: attributesOf(resource), Range: resource.Range,
	}
	old, known := c.recorded(address)
	switch {
	case known && old.Hash == resource.Hash() && old.Objects == c.objects[address]:
		c.repair(&change, resource, d)
		return change, false
	case known:
		change.Action, change.Before = ActionUpdate, old.Attributes
		change.Reason = "changed"
		change.Notes = restartNotes(resource, old.Attributes)
		if old.Hash != resource.Hash() {
			return change, false
		}
		change.Reason = "follows from other changes"
		if c.record.Version != c.version {
			change.Reason = fmt.Sprintf("tcpguard %s writes it differently than %s", c.version, c.record.Version)
		}
		return change, true
	}
	c.unrecorded(&change, resource, d)
	return change, false
}

// unrecorded classifies by the kernel alone: a rule's comment tells which declaration it was made from.
func (c *classifier) unrecorded(change *Change, resource enforcer.Resource, d *drift) {
	hash, inKernel := c.kernel[change.Address]
	switch {
	case !inKernel:
		change.Action, change.Reason = ActionCreate, "declared"
	case hash == resource.Hash() && c.pending == nil:
		c.repair(change, resource, d)
	default:
		change.Action, change.Reason = ActionUpdate, "changed"
		change.Notes = append(change.Notes, "the former values are not recorded")
	}
}

// repair describes drift: the declaration is as it was, the kernel is not.
func (c *classifier) repair(change *Change, resource enforcer.Resource, d *drift) {
	change.Action, change.Before = ActionRepair, change.After
	switch {
	case c.pending != nil:
		change.Reason = "left unfinished: will be put right"
	case len(d.changed)+len(d.extra) == 0:
		change.Reason = "missing from the kernel: will be put back"
	case len(d.missing)+len(d.changed) == 0:
		change.Reason = "added to by another program: will be removed"
	default:
		change.Reason = "changed by another program: will be put back"
	}
	change.Notes = d.notes()
	restarts := slices.ContainsFunc(resource.Attributes, func(a enforcer.Attribute) bool { return a.Restarts })
	lost := slices.ContainsFunc(slices.Concat(d.missing, d.changed), func(o string) bool { return strings.HasPrefix(o, "set ") })
	if restarts && lost {
		change.Notes = append(change.Notes, noteRestarts)
	}
}

// removal describes what the kernel holds and nothing declares.
func (c *classifier) removal(address string, d *drift) Change {
	change := Change{Address: address, Kind: KindNFTables, Action: ActionDelete, Reason: "no longer declared"}
	if c.destroy {
		change.Reason = "to be removed"
	}
	if old, known := c.recorded(address); known {
		change.Before = old.Attributes
		return change
	}
	_, ours := c.kernel[address]
	switch {
	case c.destroy:
	case address == foreignAddress:
		change.Action, change.Reason = ActionRepair, "added by another program: will be removed"
		change.Notes = d.notes()
	case c.record != nil && c.pending == nil && ours:
		change.Reason = "in the kernel and not declared"
	case c.record != nil && c.pending == nil:
		change.Action, change.Reason = ActionRepair, "added by another program: will be removed"
		change.Notes = d.notes()
	}
	return change
}

func (c *classifier) recorded(address string) (record, bool) {
	if c.record == nil {
		return record{}, false
	}
	r, ok := c.record.Resources[address]
	return r, ok
}

// noteRestarts warns that what the kernel has counted so far is lost.
const noteRestarts = "live counts restart for this limit"

// restartNotes warns when one of the attributes that changed makes the kernel count anew.
func restartNotes(resource enforcer.Resource, before Attributes) []string {
	for _, a := range resource.Attributes {
		if old, had := before.Get(a.Name); a.Restarts && had && old != a.Value {
			return []string{noteRestarts}
		}
	}
	return nil
}

// maxNotes bounds how many objects a change lists by name.
const maxNotes = 8

// notes lists the objects that differ.
func (d *drift) notes() []string {
	var out []string
	for _, part := range []struct {
		word    string
		objects []string
	}{{"missing", d.missing}, {"changed", d.changed}, {"extra", d.extra}} {
		for _, o := range part.objects {
			out = append(out, part.word+": "+o)
		}
	}
	if len(out) > maxNotes {
		out = append(out[:maxNotes:maxNotes], fmt.Sprintf("and %d more", len(out)-maxNotes))
	}
	return out
}

// summarize counts changes.
func summarize(changes []Change) Summary {
	var s Summary
	for _, c := range changes {
		switch c.Action {
		case ActionCreate:
			s.Add++
		case ActionUpdate:
			s.Change++
		case ActionDelete:
			s.Remove++
		case ActionRepair:
			s.Repair++
		}
	}
	return s
}
