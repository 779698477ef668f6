package nft_test

import (
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// What others put into our table shows, and can be taken away.
func TestForeignObjectsShow(t *testing.T) {
	k := newKernel(t)
	nettest.NftLoad(t, k.ns, `table inet tcpguard {
	flags dormant
	quota q { over 1 mbytes }
	synproxy p { mss 1460; wscale 7; }
	set marks { type mark; }
	set counted { type ipv4_addr; counter; elements = { 192.0.2.1 }; }
	set collected { type ipv4_addr; timeout 1m; gc-interval 5s; }
	set small { type ipv4_addr; policy memory; }
	map values { type ipv4_addr : mark; }
	chain dropping { type filter hook input priority 0; policy drop; }
	chain nat { type nat hook output priority 0; }
	chain plain { ip saddr { 192.0.2.1, 192.0.2.2 } quota name q log prefix "x" drop comment "mine"; }
	}`)
	rs := k.read(t)
	if rs.Flags != 1 {
		t.Errorf("flags %d, want 1 for dormant", rs.Flags)
	}
	if want := []enforcer.Foreign{{Kind: "object 10", Name: "p"}, {Kind: "object 2", Name: "q"}}; len(rs.Foreign) != 2 || rs.Foreign[0] != want[0] || rs.Foreign[1] != want[1] {
		t.Errorf("foreign objects %+v, want %+v", rs.Foreign, want)
	}
	if len(rs.Sets) != 5 {
		t.Errorf("%d sets, want 5: an anonymous one belongs to its rule", len(rs.Sets))
	}
	for _, s := range rs.Sets {
		if s.Raw == nil {
			t.Errorf("set %s passes for one of ours: %+v", s.Name, s)
		}
	}
	chains := map[string]string{"dropping": "policy drop", "nat": "type nat", "plain": ""}
	for _, c := range rs.Chains {
		if want, ok := chains[c.Name]; !ok || c.Foreign != want {
			t.Errorf("chain %s: %q, want %q", c.Name, c.Foreign, want)
		}
	}
	plain := rs.Chains[2].Rules[0]
	if plain.Address != "" || plain.Comment != "mine" || len(plain.Canon) == 0 {
		t.Errorf("a rule that is not ours: %+v", plain)
	}

	ops := []enforcer.Op{addTable, {Verb: enforcer.Flush, Chain: &rs.Chains[2]}}
	for i := range rs.Chains {
		ops = append(ops, enforcer.Op{Verb: enforcer.Delete, Chain: &rs.Chains[i]})
	}
	for i := range rs.Sets {
		ops = append(ops, enforcer.Op{Verb: enforcer.Delete, Set: &rs.Sets[i]})
	}
	for i := range rs.Foreign {
		ops = append(ops, enforcer.Op{Verb: enforcer.Delete, Foreign: &rs.Foreign[i]})
	}
	k.commit(t, ops...)
	if got, want := k.list(t), "table inet tcpguard {\n}\n"; got != want {
		t.Errorf("left:\n%s", got)
	}
	// A foreign set goes back as it was.
	for i := range rs.Sets {
		k.commit(t, enforcer.Op{Verb: enforcer.Add, Set: &rs.Sets[i]})
	}
	for i, s := range k.read(t).Sets {
		if s.Raw == nil || s.Name != rs.Sets[i].Name {
			t.Errorf("put back %+v", s)
		}
	}
}

func TestNoTable(t *testing.T) {
	k := newKernel(t)
	nettest.NftLoad(t, k.ns, "table inet other {\nchain c {\ntcp dport 1 drop\n}\nset s { type mark; }\ncounter n { }\n}\ntable ip tcpguard {\nchain c {\n}\n}\n")
	if rs := k.read(t); rs.Exists || len(rs.Chains) != 0 {
		t.Errorf("read %+v from others' tables", rs)
	}
	k.commit(t, addTable)
	if rs := k.read(t); !rs.Exists || len(rs.Chains)+len(rs.Sets)+len(rs.Counters) != 0 {
		t.Errorf("read %+v from others' tables", rs)
	}
}
