package enforcer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// normalized stands in for nft.Normalize: a rule's text tells rules apart as its bytes would.
func normalized(t testing.TB, b *policy.Bundle) *Ruleset {
	t.Helper()
	r, err := Compile(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Chains {
		for j := range r.Chains[i].Rules {
			rule := &r.Chains[i].Rules[j]
			rule.Canon = []byte(rule.text())
			rule.Wire = rule.Canon
		}
	}
	return r
}

// asRead is what reading a ruleset back gives: no declarations, small sets listed, lists' sets only counted.
func asRead(r *Ruleset) *Ruleset {
	out := &Ruleset{Exists: r.Exists}
	for _, c := range r.Counters {
		out.Counters = append(out.Counters, Counter{Name: c.Name, Packets: 7})
	}
	for _, s := range r.Sets {
		s.Address, s.Count = "", len(s.Elements)
		if s.Members != nil {
			s.Count, s.Members = s.Members.Len(), nil
		} else if !s.Live() {
			s.Listed = true
			s.Elements = slices.Clone(s.Elements)
			for i := range s.Elements {
				s.Elements[i].Address = ""
			}
		}
		out.Sets = append(out.Sets, s)
	}
	for _, c := range r.Chains {
		c.Address = ""
		c.Rules = slices.Clone(c.Rules)
		for i := range c.Rules {
			c.Rules[i].Statements = nil
		}
		out.Chains = append(out.Chains, c)
	}
	return out
}

type contents map[string]addrset.Part

func (c contents) Part(digest string) (addrset.Part, bool) { p, ok := c[digest]; return p, ok }

func (c contents) keep(r *Ruleset) contents {
	for _, s := range r.Sets {
		if s.Members != nil {
			c[s.Members.Digest()] = *s.Members
		}
	}
	return c
}

// script prints a transaction one step a line, with the address each serves.
func script(tx *Transaction) []string {
	var out []string
	for _, op := range tx.Ops {
		what := ""
		switch {
		case op.Table:
			what = "table"
		case op.Counter != nil:
			what = "counter " + op.Counter.Name
		case op.Set != nil:
			what = op.Set.kindName()
		case op.Chain != nil:
			what = "chain " + op.Chain.Name
		case op.Rule != nil:
			what = "rule in " + op.InChain
		case op.Members != nil:
			what = fmt.Sprintf("%d members of %s", op.Members.Len(), op.InSet.Name)
		case op.Elements != nil:
			what = fmt.Sprintf("%d elements of %s", len(op.Elements), op.InSet.Name)
		case op.Foreign != nil:
			what = "foreign " + op.Foreign.Name
		}
		out = append(out, fmt.Sprintf("%s %s [%s]", op.Verb, what, op.Address))
	}
	return out
}

func TestDiffOfEqualRulesetsIsEmpty(t *testing.T) {
	for name, b := range everyShape(t) {
		t.Run(name, func(t *testing.T) {
			r := normalized(t, b)
			delta := Diff(asRead(r), r, contents{})
			if !delta.Transaction.Empty() || len(delta.Drift) > 0 {
				t.Errorf("steps %q, drift %+v", script(delta.Transaction), delta.Drift)
			}
			// What was read serves as desired too: an apply is put back that way.
			if back := Diff(asRead(r), asRead(r), contents{}); !back.Transaction.Empty() {
				t.Errorf("putting back nothing takes %q", script(back.Transaction))
			}
		})
	}
}

// interpret applies a transaction to a ruleset as the kernel would, refusing what the kernel refuses.
func interpret(t *testing.T, from *Ruleset, tx *Transaction) *Ruleset {
	t.Helper()
	k := newFakeKernel(from)
	for i, op := range tx.Ops {
		if err := k.do(op); err != nil {
			t.Fatalf("step %d, %s: %v", i, script(&Transaction{Ops: []Op{op}})[0], err)
		}
	}
	if err := k.check(); err != nil {
		t.Fatal(err)
	}
	return k.ruleset()
}

// Every pair of shapes: the steps are in an order that references allow, and end in the desired state.
func TestDiffLeadsFromAnyStateToAnyOther(t *testing.T) {
	shapes := everyShape(t)
	shapes["nothing"] = &policy.Bundle{}
	for from, a := range shapes {
		for to, b := range shapes {
			t.Run(from+" to "+to, func(t *testing.T) {
				before, after := normalized(t, a), normalized(t, b)
				kept := contents{}.keep(before).keep(after)
				result := interpret(t, asRead(before), Diff(asRead(before), after, kept).Transaction)
				if rest := Diff(result, after, kept); !rest.Transaction.Empty() {
					t.Errorf("still to do: %q", script(rest.Transaction))
				}
				back := interpret(t, result, Diff(result, asRead(before), kept).Transaction)
				if rest := Diff(back, before, kept); !rest.Transaction.Empty() {
					t.Errorf("not put back: %q", script(rest.Transaction))
				}
			})
		}
	}
}

func drifted(t *testing.T, b *policy.Bundle, kept contents, edit func(*Ruleset)) *Delta {
	t.Helper()
	r := normalized(t, b)
	actual := asRead(r)
	edit(actual)
	delta := Diff(actual, r, kept)
	repaired := interpret(t, actual, delta.Transaction)
	if rest := Diff(repaired, r, kept); !rest.Transaction.Empty() {
		t.Errorf("repair leaves %q", script(rest.Transaction))
	}
	return delta
}

func (r *Ruleset) mustChain(name string) *Chain { return chainsByName(r)[name] }

func TestDriftNamesWhatDiffers(t *testing.T) {
	access := everyShape(t)["access"]
	tests := []struct {
		name string
		edit func(*Ruleset)
		want []string // "address kind: object, object"
	}{
		{"a rule deleted", func(r *Ruleset) {
			c := r.mustChain("policy.web.admitted")
			c.Rules = slices.Delete(c.Rules, 1, 2)
		}, []string{"policy.web.connection_limit missing: rule 2 of chain policy.web.admitted"}},
		{"a rule added", func(r *Ruleset) {
			c := r.mustChain("input")
			c.Rules = append([]Rule{{Canon: []byte("accept"), Wire: []byte("accept")}}, c.Rules...)
		}, []string{"pipeline extra: rule 1 of chain input in the kernel"}},
		{"a rule changed", func(r *Ruleset) {
			c := r.mustChain("policy.web.admitted")
			c.Rules[1].Canon = []byte("other")
		}, []string{"policy.web.connection_limit changed: rule 2 of chain policy.web.admitted, rule 2 of chain policy.web.admitted in the kernel"}},
		{"rules swapped", func(r *Ruleset) {
			c := r.mustChain("policy.web.admitted")
			c.Rules[1], c.Rules[3] = c.Rules[3], c.Rules[1]
		}, []string{"policy.web changed: order of the rules in chain policy.web.admitted"}},
		{"a base chain moved", func(r *Ruleset) { r.mustChain("input").Priority = 0 },
			[]string{"pipeline changed: chain input"}},
		{"a port taken out of the map", func(r *Ruleset) {
			s := r.Set("input.tcp.port")
			s.Elements = s.Elements[1:]
		}, []string{"policy.web missing: 80 in map input.tcp.port"}},
		{"a port led elsewhere", func(r *Ruleset) { r.Set("input.tcp.port").Elements[0].Verdict = &Verdict{Kind: Accept} },
			[]string{"policy.web changed: 80 in map input.tcp.port"}},
		{"a management network emptied", func(r *Ruleset) { r.Set("management.v4").Elements = nil },
			[]string{"management missing: 198.51.100.0/24 in set management.v4"}},
		{"a list's set edited", func(r *Ruleset) { r.Set("list.bad.v4").Count = 0 },
			[]string{"list.bad changed: content of set list.bad.v4"}},
		{"a meter resized", func(r *Ruleset) {
			for i := range r.Sets {
				if strings.HasPrefix(r.Sets[i].Name, "policy.web.connection_limit.v4") {
					r.Sets[i].Size = 1
				}
			}
		}, []string{"policy.web.connection_limit changed: set policy.web.connection_limit.v4.3622931a"}},
		{"a foreign chain", func(r *Ruleset) { r.Chains = append(r.Chains, Chain{Name: "mine"}) },
			[]string{"pipeline extra: chain mine"}},
		{"a table put to sleep", func(r *Ruleset) { r.Flags = 1 }, []string{"pipeline changed: table tcpguard is dormant"}},
		{"a flowtable", func(r *Ruleset) { r.Foreign = []Foreign{{Kind: "flowtable", Name: "f"}} },
			[]string{"pipeline extra: flowtable f"}},
		{"a chain turned into a base chain", func(r *Ruleset) { r.mustChain("policy.web").Hook = HookInput }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			delta := drifted(t, access, contents{}, tt.edit)
			var got []string
			for _, d := range delta.Drift {
				got = append(got, fmt.Sprintf("%s %s: %s", d.Address, d.Kind, strings.Join(d.Objects, ", ")))
			}
			if tt.want != nil && !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if delta.Transaction.Empty() {
				t.Error("nothing is repaired")
			}
		})
	}
}

// A changed list is sent as what changed; a list whose old content nobody kept, or that somebody edited, whole.
func TestListChangesAreDeltas(t *testing.T) {
	deny := func(texts ...string) *policy.Bundle {
		p := webPolicy("web", ports(80, 80))
		p.Deny = []string{"bad"}
		return &policy.Bundle{Policies: []policy.Policy{p}, Lists: []policy.List{{Name: "bad", Addresses: addresses(t, texts...)}}}
	}
	before := normalized(t, deny("192.0.2.1", "192.0.2.2", "198.51.100.0/25"))
	after := normalized(t, deny("192.0.2.2", "192.0.2.3", "198.51.100.0/24"))
	memberSteps := func(kept contents, edit func(*Ruleset)) []string {
		actual := asRead(before)
		edit(actual)
		var out []string
		for _, line := range script(Diff(actual, after, kept).Transaction) {
			if strings.Contains(line, "list.bad.v4 ") {
				out = append(out, line)
			}
		}
		return out
	}
	untouched := func(*Ruleset) {}
	whole := []string{"delete set list.bad.v4 [list.bad]", "add set list.bad.v4 [list.bad]", "add 2 members of list.bad.v4 [list.bad]"}
	tests := []struct {
		name string
		kept contents
		edit func(*Ruleset)
		want []string
	}{
		{"known content", contents{}.keep(before), untouched,
			[]string{"delete 1 members of list.bad.v4 [list.bad]", "add 1 members of list.bad.v4 [list.bad]"}},
		{"unknown content", contents{}, untouched, whole},
		{"edited by hand", contents{}.keep(before), func(r *Ruleset) { r.Set("list.bad.v4").Count = 5 }, whole},
		{"kernel without element counts", contents{}.keep(before), func(r *Ruleset) { r.Set("list.bad.v4").Count = -1 },
			[]string{"delete 1 members of list.bad.v4 [list.bad]", "add 1 members of list.bad.v4 [list.bad]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := memberSteps(tt.kept, tt.edit); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Changing one limit must not disturb what another one has counted.
func TestUnchangedMetersStay(t *testing.T) {
	b := everyShape(t)["limits"]
	before := normalized(t, b)
	changed := *b.Policies[0].Rate
	changed.Rate.Count, changed.Burst = 30, 30
	p := b.Policies[0]
	p.Rate = &changed
	after := normalized(t, &policy.Bundle{Policies: []policy.Policy{p}})
	for _, line := range script(Diff(asRead(before), after, contents{}).Transaction) {
		if strings.Contains(line, "connection_limit") && !strings.HasPrefix(line, "add rule") {
			t.Errorf("the connection limit is touched: %s", line)
		}
		if strings.Contains(line, "counter") {
			t.Errorf("a counter is touched: %s", line)
		}
	}
}
