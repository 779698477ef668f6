package enforcer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// table is a connection to the kernel from inside a network namespace of its own.
type table struct {
	t  *testing.T
	ns *nettest.NS
}

func newTable(t *testing.T) table { return table{t, nettest.New(t)} }

// bring leads the table to what the bundle declares, as apply does, and gives the steps it took.
func (k table) bring(b *policy.Bundle) *enforcer.Delta {
	k.t.Helper()
	var delta *enforcer.Delta
	k.do(func(c *nft.Conn) error {
		desired, err := enforcer.Compile(b)
		if err != nil {
			return err
		}
		if err := nft.Normalize(desired); err != nil {
			return err
		}
		actual, gen, err := c.Read()
		if err != nil {
			return err
		}
		delta = enforcer.Diff(actual, desired, nil)
		if delta.Transaction.Empty() {
			return nil
		}
		return c.Commit(delta.Transaction, gen)
	})
	return delta
}

func (k table) do(f func(*nft.Conn) error) {
	k.t.Helper()
	var err error
	k.ns.Do(k.t, func() {
		var c *nft.Conn
		if c, err = nft.Open(); err != nil {
			return
		}
		defer c.Close()
		err = f(c)
	})
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k table) list() string { return nettest.NftList(k.t, k.ns) }

// The state written by hand as nft text and the one we commit list identically, for every rule shape; read back it is
// what was wanted, and nothing is left to do.
func TestKernelListsTheGoldenText(t *testing.T) {
	nettest.Need(t)
	nettest.NeedProgram(t, "nft")
	for name, bundle := range enforcer.EveryShape(t) {
		t.Run(name, func(t *testing.T) {
			ours, byHand := newTable(t), newTable(t)
			desired, err := enforcer.Compile(bundle)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := desired.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			nettest.NftLoad(t, byHand.ns, text.String())
			ours.bring(bundle)
			if got, want := ours.list(), byHand.list(); got != want {
				t.Errorf("ours:\n%s\nby hand:\n%s", got, want)
			}
			if again := ours.bring(bundle); !again.Transaction.Empty() || len(again.Drift) > 0 {
				t.Errorf("a second pass finds %+v", again.Drift)
			}
			// The same text loaded by nft is the declared state, rule for rule.
			if adopted := byHand.bring(bundle); !adopted.Transaction.Empty() {
				t.Errorf("what nft loaded differs: %+v", adopted.Drift)
			}
		})
	}
}

// Shapes are led to the richest ones, to nothing, and back, in one transaction each, and the kernel lists the result as
// if it had been made afresh. (Every pair is tried without a kernel in diff_test.go.)
func TestKernelIsLedFromShapeToShape(t *testing.T) {
	nettest.Need(t)
	nettest.NeedProgram(t, "nft")
	shapes := enforcer.EveryShape(t)
	shapes["nothing"] = &policy.Bundle{}
	fresh := map[string]string{}
	for name, bundle := range shapes {
		k := newTable(t)
		k.bring(bundle)
		fresh[name] = sorted(k.list())
	}
	k := newTable(t)
	lead := func(from, to string) {
		k.bring(shapes[from])
		k.bring(shapes[to])
		if got := sorted(k.list()); got != fresh[to] {
			t.Fatalf("from %s to %s:\n%s\nwant\n%s", from, to, got, fresh[to])
		}
	}
	for name := range shapes {
		for _, other := range []string{"everything", "auto", "nothing"} {
			lead(name, other)
			lead(other, name)
		}
	}
}

// sorted puts the blocks of a listing into one order: nft lists objects in the order they were made.
func sorted(listing string) string {
	blocks := strings.Split(listing, "\n\n")
	for i := range blocks {
		blocks[i] = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(blocks[i]), "table inet tcpguard {\n"), "\n}")
		blocks[i] = strings.TrimSpace(blocks[i])
	}
	slices.Sort(blocks)
	return strings.Join(blocks, "\n\n")
}
