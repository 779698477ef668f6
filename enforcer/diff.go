package enforcer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

// Contents gives the content that a list's set was last given, by the digest its marker records. Unknown content
// makes Diff replace the set whole instead of changing it.
type Contents interface {
	Part(digest string) (addrset.Part, bool)
}

// Delta is what separates two rulesets: the steps from one to the other, and in words what differs.
type Delta struct {
	Transaction *Transaction
	Drift       []Drift // sorted by address
}

// DriftKind says how an address differs.
type DriftKind string

// The kinds of drift.
const (
	DriftMissing DriftKind = "missing" // objects are declared and not in the kernel, none is there unasked
	DriftExtra   DriftKind = "extra"   // objects are in the kernel and not declared, none is missing
	DriftChanged DriftKind = "changed" // both, or an object is there with another content
)

// Drift names the kernel objects of one address that differ from the desired ones.
type Drift struct {
	Address string
	Kind    DriftKind
	Objects []string // "chain policy.web", "rule 3 of chain input", "443 in map input.tcp.port"
}

// The phases of a transaction, in the order the kernel needs: what refers goes before what it refers to, and what is
// referred to comes before what refers.
const (
	phaseTable = iota
	phaseAddCounters
	phaseFlushChains
	phaseDeleteElements
	phaseDeleteSets
	phaseDeleteChains
	phaseAddChains
	phaseAddSets
	phaseAddElements
	phaseAddRules
	phaseDeleteCounters
	phases
)

// differ walks two rulesets and collects steps by phase.
type differ struct {
	actual, desired *Ruleset
	old             Contents
	ops             [phases][]Op
	chainsOf        map[*Ruleset]map[string]*Chain
	drift           map[string]*Drift
	rewrite         bool // every chain's rules are made anew, because a set they refer to is
}

// Diff gives the steps that turn actual into desired. Both are read only. Desired rules must have been normalised (see
// nft.Normalize); a ruleset that was read serves as desired too, which is how an apply is put back.
//
// State that survives: named counters and the elements of every set whose specification is as it was. Rules hold no
// state of their own, so a chain that differs is flushed and filled again, which the kernel does in one step.
func Diff(actual, desired *Ruleset, old Contents) *Delta {
	d := &differ{actual: actual, desired: desired, old: old, drift: map[string]*Drift{}}
	d.chainsOf = map[*Ruleset]map[string]*Chain{actual: chainsByName(actual), desired: chainsByName(desired)}
	switch {
	case !desired.Exists && !actual.Exists:
	case !desired.Exists:
		d.removeTable()
	case d.beyondRepair():
		// Objects stand where ours must, in a way that cannot be changed step by step.
		d.op(phaseTable, Op{Verb: Delete, Address: pipelineAddress, Table: true})
		d.actual = &Ruleset{}
		d.walk()
	default:
		d.walk()
	}
	return d.delta()
}

func (d *differ) walk() {
	const dormant = 1 // NFT_TABLE_F_DORMANT: every hook of the table is asleep
	if !d.actual.Exists || d.actual.Flags&dormant != 0 {
		d.op(phaseTable, Op{Verb: Add, Address: pipelineAddress, Table: true})
		if d.actual.Exists {
			d.differs(pipelineAddress, DriftChanged, "table "+TableName+" is dormant")
		}
	}
	d.counters()
	d.sets()
	d.chains()
	for _, f := range d.actual.Foreign {
		d.differs(pipelineAddress, DriftExtra, f.Kind+" "+f.Name)
		d.op(phaseDeleteChains, Op{Verb: Delete, Address: pipelineAddress, Foreign: &f})
	}
}

// beyondRepair says that a chain of ours has been replaced by one of another nature: a chain that maps refer to
// cannot be deleted while they do, nor become another kind.
func (d *differ) beyondRepair() bool {
	if !d.actual.Exists {
		return false
	}
	for i := range d.desired.Chains {
		want := &d.desired.Chains[i]
		have := d.chainsOf[d.actual][want.Name]
		if have != nil && want.Hook == NoHook && (have.Hook != NoHook || have.Foreign != "") {
			return true
		}
	}
	return false
}

func (d *differ) removeTable() {
	d.op(phaseTable, Op{Verb: Delete, Address: pipelineAddress, Table: true})
	for _, c := range d.actual.Chains {
		d.differs(addressOf(c.Name), DriftExtra, "chain "+c.Name)
	}
	for _, s := range d.actual.Sets {
		d.differs(addressOf(s.Name), DriftExtra, s.kindName())
	}
	for _, c := range d.actual.Counters {
		d.differs(addressOf(c.Name), DriftExtra, "counter "+c.Name)
	}
	d.differs(pipelineAddress, DriftExtra, "table "+TableName)
}

func (d *differ) op(phase int, op Op) { d.ops[phase] = append(d.ops[phase], op) }

// differs notes that an object of address is not as desired.
func (d *differ) differs(address string, kind DriftKind, object string) {
	e := d.drift[address]
	if e == nil {
		e = &Drift{Address: address, Kind: kind}
		d.drift[address] = e
	}
	if e.Kind != kind {
		e.Kind = DriftChanged
	}
	if !slices.Contains(e.Objects, object) {
		e.Objects = append(e.Objects, object)
	}
}

func (d *differ) delta() *Delta {
	delta := &Delta{Transaction: &Transaction{Ops: slices.Concat(d.ops[:]...)}}
	for _, e := range d.drift {
		delta.Drift = append(delta.Drift, *e)
	}
	slices.SortFunc(delta.Drift, func(a, b Drift) int { return strings.Compare(a.Address, b.Address) })
	return delta
}

// counters: only their names can differ; what they count is live.
func (d *differ) counters() {
	have := index(d.actual.Counters, func(c *Counter) string { return c.Name })
	want := index(d.desired.Counters, func(c *Counter) string { return c.Name })
	for i := range d.desired.Counters {
		if c := &d.desired.Counters[i]; have[c.Name] == nil {
			address := orAddressOf(c.Address, c.Name)
			d.op(phaseAddCounters, Op{Verb: Add, Address: address, Counter: c})
			d.differs(address, DriftMissing, "counter "+c.Name)
		}
	}
	for i := range d.actual.Counters {
		if c := &d.actual.Counters[i]; want[c.Name] == nil {
			d.op(phaseDeleteCounters, Op{Verb: Delete, Address: addressOf(c.Name), Counter: c})
			d.differs(addressOf(c.Name), DriftExtra, "counter "+c.Name)
		}
	}
}

// chains compares rules one by one, and fills a chain again when any differs.
func (d *differ) chains() {
	have, want := d.chainsOf[d.actual], d.chainsOf[d.desired]
	for i := range d.actual.Chains {
		if c := &d.actual.Chains[i]; want[c.Name] == nil {
			d.dropChain(c)
		}
	}
	for i := range d.desired.Chains {
		c := &d.desired.Chains[i]
		d.chain(have[c.Name], c)
	}
}

func (d *differ) dropChain(c *Chain) {
	address := addressOf(c.Name)
	d.op(phaseFlushChains, Op{Verb: Flush, Address: address, Chain: c})
	d.op(phaseDeleteChains, Op{Verb: Delete, Address: address, Chain: c})
	d.differs(address, DriftExtra, "chain "+c.Name)
	for i := range c.Rules {
		d.differs(orAddressOf(c.Rules[i].Address, c.Name), DriftExtra, fmt.Sprintf("rule %d of chain %s", i+1, c.Name))
	}
}

func (d *differ) chain(have, want *Chain) {
	address := orAddressOf(want.Address, want.Name)
	add := func() {
		d.op(phaseAddChains, Op{Verb: Add, Address: address, Chain: want})
		d.addRules(want)
	}
	switch {
	case have == nil:
		d.differs(address, DriftMissing, "chain "+want.Name)
		for i := range want.Rules {
			d.differs(orAddressOf(want.Rules[i].Address, want.Name), DriftMissing, fmt.Sprintf("rule %d of chain %s", i+1, want.Name))
		}
		add()
	case have.Hook != want.Hook || have.Priority != want.Priority || have.Foreign != want.Foreign:
		// The kernel cannot move a base chain; taken away and added in one batch it never misses a packet.
		d.differs(address, DriftChanged, "chain "+want.Name)
		d.op(phaseFlushChains, Op{Verb: Flush, Address: address, Chain: have})
		d.op(phaseDeleteChains, Op{Verb: Delete, Address: address, Chain: have})
		add()
	case !d.sameRules(have, want) || d.rewrite:
		d.op(phaseFlushChains, Op{Verb: Flush, Address: address, Chain: want})
		d.addRules(want)
	}
}

func (d *differ) addRules(c *Chain) {
	for i := range c.Rules {
		address := orAddressOf(c.Rules[i].Address, c.Name)
		d.op(phaseAddRules, Op{Verb: Add, Address: address, Rule: &c.Rules[i], InChain: c.Name})
	}
}

// sameRules compares two rule lists and notes, for each address, which rules are missing, unasked or out of order.
func (d *differ) sameRules(have, want *Chain) bool {
	same := func(a, b Rule) bool { return bytes.Equal(a.Canon, b.Canon) && a.Comment == b.Comment }
	if slices.EqualFunc(have.Rules, want.Rules, same) {
		return true
	}
	spare := map[string]int{}
	for _, r := range have.Rules {
		spare[r.identity()]++
	}
	found := 0
	for i, r := range want.Rules {
		if spare[r.identity()] > 0 {
			spare[r.identity()]--
			found++
			continue
		}
		d.differs(orAddressOf(r.Address, want.Name), DriftMissing, fmt.Sprintf("rule %d of chain %s", i+1, want.Name))
	}
	for i, r := range slices.Backward(have.Rules) {
		if spare[r.identity()] > 0 {
			spare[r.identity()]--
			d.differs(orAddressOf(r.Address, want.Name), DriftExtra, fmt.Sprintf("rule %d of chain %s in the kernel", i+1, want.Name))
		}
	}
	if found == len(want.Rules) && found == len(have.Rules) {
		d.differs(orAddressOf(want.Address, want.Name), DriftChanged, "order of the rules in chain "+want.Name)
	}
	return false
}

func (r Rule) identity() string { return string(r.Canon) + "\x00" + r.Comment }

func chainsByName(r *Ruleset) map[string]*Chain {
	return index(r.Chains, func(c *Chain) string { return c.Name })
}

func index[T any](items []T, name func(*T) string) map[string]*T {
	m := make(map[string]*T, len(items))
	for i := range items {
		m[name(&items[i])] = &items[i]
	}
	return m
}
