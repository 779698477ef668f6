package enforcer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fakeKernel holds a table and refuses what nf_tables refuses: a name twice, a missing name, and taking away what is
// still referred to.
type fakeKernel struct {
	exists   bool
	counters map[string]Counter
	sets     map[string]Set
	chains   map[string]Chain
	foreign  []Foreign
}

func newFakeKernel(r *Ruleset) *fakeKernel {
	k := &fakeKernel{exists: r.Exists, counters: map[string]Counter{}, sets: map[string]Set{}, chains: map[string]Chain{}, foreign: r.Foreign}
	for _, c := range r.Counters {
		k.counters[c.Name] = c
	}
	for _, s := range r.Sets {
		k.sets[s.Name] = s
	}
	for _, c := range r.Chains {
		k.chains[c.Name] = c
	}
	return k
}

func (k *fakeKernel) do(op Op) error {
	switch {
	case op.Table && op.Verb == Delete:
		*k = *newFakeKernel(&Ruleset{})
	case op.Table:
		k.exists = true
	case !k.exists:
		return fmt.Errorf("no table")
	case op.Counter != nil:
		return change(k.counters, op.Counter.Name, *op.Counter, op.Verb, "")
	case op.Set != nil:
		s := *op.Set
		if op.Verb == Add {
			s.Elements, s.Members, s.Count = nil, nil, 0
			s.Listed = !s.Live()
			if old, there := k.sets[s.Name]; there && s.Live() {
				old.Size = s.Size // nf_tables changes the size of a set in place
				k.sets[s.Name] = old
				return nil
			}
		}
		return change(k.sets, s.Name, s, op.Verb, k.refersTo(s.Name))
	case op.Chain != nil:
		return k.chain(op)
	case op.Rule != nil:
		c := k.chains[op.InChain]
		c.Rules = append(slices.Clone(c.Rules), *op.Rule)
		k.chains[op.InChain] = c
	case op.Foreign != nil:
		k.foreign = slices.DeleteFunc(slices.Clone(k.foreign), func(f Foreign) bool { return f == *op.Foreign })
	case op.Members != nil:
		return k.members(op)
	default:
		return k.elements(op)
	}
	return nil
}

func change[T any](m map[string]T, name string, value T, verb Verb, referredBy string) error {
	_, there := m[name]
	switch {
	case verb == Add && there:
		return fmt.Errorf("%s exists", name)
	case verb == Delete && !there:
		return fmt.Errorf("%s does not exist", name)
	case verb == Delete && referredBy != "":
		return fmt.Errorf("%s is in use by %s", name, referredBy)
	case verb == Add:
		m[name] = value
	default:
		delete(m, name)
	}
	return nil
}

func (k *fakeKernel) chain(op Op) error {
	c := *op.Chain
	if op.Verb == Flush {
		old, there := k.chains[c.Name]
		if !there {
			return fmt.Errorf("no chain %s to flush", c.Name)
		}
		old.Rules = nil
		k.chains[c.Name] = old
		return nil
	}
	if op.Verb == Delete && len(k.chains[c.Name].Rules) > 0 {
		return fmt.Errorf("chain %s still has rules", c.Name)
	}
	c.Rules = nil
	return change(k.chains, c.Name, c, op.Verb, k.refersTo(c.Name))
}

// refersTo finds a rule or a verdict that still names an object; rules name it in their bytes.
func (k *fakeKernel) refersTo(name string) string {
	for _, c := range k.chains {
		for i, r := range c.Rules {
			for _, word := range strings.Fields(string(r.Canon)) {
				if strings.Trim(word, `@"`) == name && !strings.Contains(string(r.Canon), "comment \""+name) {
					return fmt.Sprintf("rule %d of chain %s", i+1, c.Name)
				}
			}
		}
	}
	for _, s := range k.sets {
		for _, e := range s.Elements {
			if e.Verdict != nil && e.Verdict.Chain == name {
				return "map " + s.Name
			}
		}
	}
	return ""
}

func (k *fakeKernel) elements(op Op) error {
	s, there := k.sets[op.InSet.Name]
	if !there {
		return fmt.Errorf("no set %s", op.InSet.Name)
	}
	s.Elements = slices.Clone(s.Elements)
	for _, e := range op.Elements {
		at := slices.IndexFunc(s.Elements, func(o Element) bool { return o.identity() == e.identity() })
		switch {
		case op.Verb == Add && at >= 0:
			return fmt.Errorf("element exists in %s", s.Name)
		case op.Verb == Delete && at < 0:
			return fmt.Errorf("no such element in %s", s.Name)
		case op.Verb == Delete:
			s.Elements = slices.Delete(s.Elements, at, at+1)
		default:
			if e.Verdict != nil && e.Verdict.Chain != "" && k.chains[e.Verdict.Chain].Name == "" {
				return fmt.Errorf("element leads to chain %s, which does not exist", e.Verdict.Chain)
			}
			s.Elements = append(s.Elements, e)
		}
	}
	s.Count = len(s.Elements)
	k.sets[s.Name] = s
	return nil
}

func (k *fakeKernel) members(op Op) error {
	s, there := k.sets[op.InSet.Name]
	if !there {
		return fmt.Errorf("no set %s", op.InSet.Name)
	}
	n := op.Members.Len()
	if op.Verb == Delete {
		n = -n
	}
	s.Count += n
	s.Listed = false // a list's set is only counted
	k.sets[s.Name] = s
	return nil
}

// check says whether the kernel would take the batch: nothing may refer to what is not there.
func (k *fakeKernel) check() error {
	for _, s := range k.sets {
		for _, e := range s.Elements {
			if e.Verdict != nil && e.Verdict.Chain != "" && k.chains[e.Verdict.Chain].Name == "" {
				return fmt.Errorf("map %s leads to chain %s, which is gone", s.Name, e.Verdict.Chain)
			}
		}
	}
	return nil
}

func (k *fakeKernel) ruleset() *Ruleset {
	r := &Ruleset{Exists: k.exists, Foreign: k.foreign}
	for _, name := range slices.Sorted(maps.Keys(k.counters)) {
		r.Counters = append(r.Counters, k.counters[name])
	}
	for _, name := range slices.Sorted(maps.Keys(k.sets)) {
		r.Sets = append(r.Sets, k.sets[name])
	}
	for _, name := range slices.Sorted(maps.Keys(k.chains)) {
		r.Chains = append(r.Chains, k.chains[name])
	}
	return r
}
