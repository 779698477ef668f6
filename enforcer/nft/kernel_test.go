package nft_test

import (
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// kernel is a connection into a network namespace of its own.
type kernel struct {
	*nft.Conn
	ns *nettest.NS
}

func newKernel(t *testing.T, opts ...nft.Option) kernel {
	t.Helper()
	nettest.Need(t)
	return connect(t, nettest.New(t), opts...)
}

func connect(t *testing.T, ns *nettest.NS, opts ...nft.Option) kernel {
	t.Helper()
	k := kernel{ns: ns}
	ns.Do(t, func() {
		var err error
		if k.Conn, err = nft.Open(opts...); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { k.Close() })
	return k
}

// try commits the steps at the present generation.
func (k kernel) try(t *testing.T, ops ...enforcer.Op) error {
	t.Helper()
	gen, err := k.Generation()
	if err != nil {
		t.Fatal(err)
	}
	return k.Commit(&enforcer.Transaction{Ops: ops}, gen)
}

func (k kernel) commit(t *testing.T, ops ...enforcer.Op) {
	t.Helper()
	if err := k.try(t, ops...); err != nil {
		t.Fatal(err)
	}
}

func (k kernel) read(t *testing.T) *enforcer.Ruleset {
	t.Helper()
	rs, _, err := k.Read()
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// list is the table as nft prints it.
func (k kernel) list(t *testing.T) string {
	t.Helper()
	return nettest.NftList(t, k.ns, "table", "inet", "tcpguard")
}

// build gives the steps that make a ruleset out of nothing.
func build(rs *enforcer.Ruleset) []enforcer.Op {
	ops := []enforcer.Op{{Verb: enforcer.Add, Address: "pipeline", Table: true}}
	for i := range rs.Counters {
		ops = append(ops, enforcer.Op{Verb: enforcer.Add, Address: "policy.web", Counter: &rs.Counters[i]})
	}
	for i := range rs.Sets {
		ops = append(ops, enforcer.Op{Verb: enforcer.Add, Address: "policy.web", Set: &rs.Sets[i]})
	}
	for i := range rs.Chains {
		ops = append(ops, enforcer.Op{Verb: enforcer.Add, Address: "policy.web", Chain: &rs.Chains[i]})
	}
	for i := range rs.Chains {
		for j := range rs.Chains[i].Rules {
			ops = append(ops, enforcer.Op{Verb: enforcer.Add, Address: "policy.web", Rule: &rs.Chains[i].Rules[j], InChain: rs.Chains[i].Name})
		}
	}
	for i := range rs.Sets {
		if s := &rs.Sets[i]; len(s.Elements) > 0 || s.Members != nil {
			ops = append(ops, enforcer.Op{Verb: enforcer.Add, Address: "policy.web", InSet: s, Elements: s.Elements, Members: s.Members})
		}
	}
	return ops
}

// contains says whether an error's text has the words.
func contains(err error, words string) bool {
	return err != nil && strings.Contains(err.Error(), words)
}
