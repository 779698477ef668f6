package nft_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

func rule(t *testing.T, statements ...enforcer.Statement) *enforcer.Rule {
	t.Helper()
	rs := &enforcer.Ruleset{Chains: []enforcer.Chain{{Rules: []enforcer.Rule{{Statements: statements}}}}}
	if err := nft.Normalize(rs); err != nil {
		t.Fatal(err)
	}
	return &rs.Chains[0].Rules[0]
}

var addTable = enforcer.Op{Verb: enforcer.Add, Address: "pipeline", Table: true}

// Each refusal is told with its step, also behind a step that takes several messages and one that takes none.
func TestRefusalsNameTheirSteps(t *testing.T) {
	k := newKernel(t)
	k.commit(t, addTable, enforcer.Op{Verb: enforcer.Add, Chain: &enforcer.Chain{Name: "x"}})
	before := k.list(t)
	list := listSet(addrset.Addrs4)
	many := addrset.Part{Kind: addrset.Addrs4, Addrs4: make([]uint32, 10000)}
	for i := range many.Addrs4 {
		many.Addrs4[i] = uint32(i)
	}
	lookup := enforcer.MatchSet{Fields: []enforcer.Field{{Name: enforcer.IPSaddr}}, Set: "nowhere"}
	err := k.try(t,
		enforcer.Op{Verb: enforcer.Add, Set: list},
		enforcer.Op{Verb: enforcer.Add, InSet: list, Members: &many},
		enforcer.Op{Verb: enforcer.Add, InSet: list, Members: &addrset.Part{Kind: addrset.Addrs4}},
		enforcer.Op{Verb: enforcer.Add, Address: "policy.web", Rule: rule(t, lookup), InChain: "x"},
		enforcer.Op{Verb: enforcer.Add, Address: "fine", Chain: &enforcer.Chain{Name: "y"}},
		enforcer.Op{Verb: enforcer.Add, Address: "policy.ssh", Rule: rule(t, enforcer.Count{Counter: "none"}), InChain: "x"},
		enforcer.Op{Verb: enforcer.Delete, Address: "policy.old", Counter: &enforcer.Counter{Name: "gone"}},
		enforcer.Op{Verb: enforcer.Flush, Address: "policy.chainless", Chain: &enforcer.Chain{Name: "gone"}},
	)
	var refused *nft.RefusedError
	if !errors.As(err, &refused) || len(refused.Ops) != 4 {
		t.Fatalf("got %v, want four refusals", err)
	}
	for i, want := range []struct {
		index   int
		address string
	}{{3, "policy.web"}, {5, "policy.ssh"}, {6, "policy.old"}, {7, "policy.chainless"}} {
		got := refused.Ops[i]
		if got.Index != want.index || got.Address != want.address || got.Errno != unix.ENOENT || got.Feature != nil || got.Offset == 0 {
			t.Errorf("refusal %d: %+v, want step %d", i, got, want.index)
		}
	}
	if want := "policy.web: add rule in chain x: no such file or directory"; !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not say %q", err, want)
	}
	if after := k.list(t); after != before {
		t.Errorf("something was applied:\n%s", after)
	}
}

// More refusals than the socket can hold are still refusals.
func TestRefusalsThatDoNotFit(t *testing.T) {
	k := newKernel(t, nft.Unforced())
	k.commit(t, addTable)
	var ops []enforcer.Op
	for range 50000 {
		ops = append(ops, enforcer.Op{Verb: enforcer.Delete, Address: "policy.old", Counter: &enforcer.Counter{Name: "gone"}})
	}
	err := k.try(t, ops...)
	var refused *nft.RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want refusals", err)
	}
	if len(refused.Ops) >= len(ops) {
		t.Errorf("all %d refusals fit: the test proves nothing", len(ops))
	}
	if len(err.Error()) > 1000 {
		t.Errorf("message of %d bytes", len(err.Error()))
	}
}

func TestStaleGenerationIsRefused(t *testing.T) {
	k := newKernel(t)
	gen, err := k.Generation()
	if err != nil {
		t.Fatal(err)
	}
	nettest.NftLoad(t, k.ns, "table inet other { }")
	err = k.Commit(&enforcer.Transaction{Ops: []enforcer.Op{addTable}}, gen)
	if !errors.Is(err, nft.ErrStale) {
		t.Errorf("got %v, want ErrStale", err)
	}
	if k.read(t).Exists {
		t.Error("the table was made all the same")
	}
	k.commit(t, addTable)
	if after, err := k.Generation(); err != nil || after != gen+2 {
		t.Errorf("generation %d, %v after two commits since %d", after, err, gen)
	}
}

// A reading never mixes two states: whoever edits makes or removes a chain and a counter together.
func TestReadingUnderEdits(t *testing.T) {
	reader := newKernel(t)
	writer := connect(t, reader.ns)
	writer.commit(t, addTable)
	pair := func(verb enforcer.Verb) []enforcer.Op {
		return []enforcer.Op{{Verb: verb, Chain: &enforcer.Chain{Name: "c"}}, {Verb: verb, Counter: &enforcer.Counter{Name: "c"}}}
	}
	stop, done := make(chan struct{}), sync.WaitGroup{}
	done.Go(func() {
		verbs := []enforcer.Verb{enforcer.Add, enforcer.Delete}
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			gen, err := writer.Generation()
			if err == nil {
				err = writer.Commit(&enforcer.Transaction{Ops: pair(verbs[i%2])}, gen)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	read := 0
	for begun := time.Now(); read < 100 && time.Since(begun) < 3*time.Second; {
		rs, _, err := reader.Read()
		if errors.Is(err, nft.ErrBusy) {
			continue
		}
		if err != nil {
			t.Error(err)
			break
		}
		if len(rs.Chains) != len(rs.Counters) {
			t.Errorf("read %d chains and %d counters", len(rs.Chains), len(rs.Counters))
			break
		}
		read++
	}
	close(stop)
	done.Wait()
	if read == 0 {
		t.Error("never got a reading")
	}
}

// The rules of an old state go back as they were read, without their statements.
func TestRollbackFromWire(t *testing.T) {
	k := newKernel(t)
	want := fixtures()
	for _, s := range statements() {
		want.Chains[0].Rules = append(want.Chains[0].Rules, enforcer.Rule{Comment: "policy.web 1", Statements: s.list})
	}
	if err := nft.Normalize(want); err != nil {
		t.Fatal(err)
	}
	k.commit(t, build(want)...)
	before, old := k.list(t), k.read(t)
	k.commit(t, enforcer.Op{Verb: enforcer.Flush, Chain: &old.Chains[0]})
	if len(k.read(t).Chains[0].Rules) != 0 {
		t.Fatal("flush left rules")
	}
	var back []enforcer.Op
	for i := range old.Chains[0].Rules {
		back = append(back, enforcer.Op{Verb: enforcer.Add, Rule: &old.Chains[0].Rules[i], InChain: "input"})
	}
	k.commit(t, back...)
	if after := k.list(t); after != before {
		t.Errorf("put back:\n%s\nwas:\n%s", after, before)
	}
	now := k.read(t).Chains[0].Rules
	for i := range now {
		if !bytes.Equal(now[i].Canon, old.Chains[0].Rules[i].Canon) {
			t.Errorf("rule %d changed", i+1)
		}
	}
	k.commit(t, enforcer.Op{Verb: enforcer.Delete, Rule: &now[0], InChain: "input"})
	if left := k.read(t).Chains[0].Rules; len(left) != len(now)-1 || left[0].Handle != now[1].Handle {
		t.Errorf("deleting the first rule by its handle left %d of %d", len(left), len(now))
	}
}

// A kernel without an expression is told apart from a ruleset without an object. No kernel has this one.
func TestMissingFeatureIsNamed(t *testing.T) {
	k := newKernel(t)
	r := rule(t, enforcer.MatchLocal{})
	r.Wire = bytes.Replace(r.Wire, []byte("fib\x00"), []byte("fab\x00"), 1)
	err := k.try(t, addTable, enforcer.Op{Verb: enforcer.Add, Chain: &enforcer.Chain{Name: "x"}},
		enforcer.Op{Verb: enforcer.Add, Address: "pipeline", Rule: r, InChain: "x"})
	var missing *nft.FeatureError
	if !errors.As(err, &missing) || missing.Feature != `expression "fab"` {
		t.Errorf("got %v, want the expression named", err)
	}
}
