package packettest

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// The outcomes, under their short names.
const (
	connected = nettest.Connected
	reset     = nettest.Reset
	dropped   = nettest.TimedOut
)

// port is the service that most policies here guard.
const port = 443

// guard is a topology whose guarded namespace holds a policy.
type guard struct {
	*nettest.Topology
	t      *testing.T
	server *nettest.Server
	conn   *nft.Conn // to the guarded namespace, from the first apply on
}

// family is one of the two address families, with what tests need of it.
type family struct {
	name           string
	server         netip.Addr
	alias          netip.Addr
	second         netip.Addr
	sources        netip.Prefix
	spoofed        netip.Prefix
	group          uint32 // sources that are this far apart are never counted as one
	prefixArgument string // of a limit, that makes /24 and /64 count as one
}

var families = []family{
	{"ipv4", nettest.Server4, nettest.ServerAlias4, nettest.Second4, nettest.Sources4, nettest.Spoofed4, 256, "ipv4_prefix = 24"},
	{"ipv6", nettest.Server6, nettest.ServerAlias6, nettest.Second6, nettest.Sources6, nettest.Spoofed6, 0, ""},
}

// source gives an address of the g-th group of sources: another IPv4 /24, another IPv6 /64.
func (f family) source(g, i uint32) netip.Addr { return f.in(f.sources, g, i) }

// spoof is source for addresses that belong to nobody.
func (f family) spoof(g, i uint32) netip.Addr { return f.in(f.spoofed, g, i) }

func (f family) in(prefix netip.Prefix, g, i uint32) netip.Addr {
	if !prefix.Addr().Is6() {
		return nettest.SourceIn(prefix, g*f.group+i)
	}
	bytes := nettest.SourceIn(prefix, i).As16()
	bytes[6], bytes[7] = byte(g>>8), byte(g)
	return netip.AddrFrom16(bytes)
}

// inFamilies runs a test for IPv4 and IPv6 on a fresh pair.
func inFamilies(t *testing.T, test func(t *testing.T, f family, g *guard)) {
	nettest.Need(t)
	nettest.NeedProgram(t, "nft")
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			// Most of a test's time is spent waiting for answers that must not come.
			t.Parallel()
			test(t, f, guardPair(t))
		})
	}
}

func guardPair(t *testing.T) *guard   { return newGuard(t, nettest.Pair(t)) }
func guardRouted(t *testing.T) *guard { return newGuard(t, nettest.Routed(t)) }

func newGuard(t *testing.T, topology *nettest.Topology) *guard {
	t.Helper()
	return &guard{Topology: topology, t: t, server: nettest.Listen(t, topology.Server, nettest.Port(port))}
}

// compile turns a policy's text into a ruleset.
func compile(t *testing.T, text string) *enforcer.Ruleset {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bundle, diagnostics := policy.Load(policy.Options{Paths: []string{file}})
	if diagnostics.HasErrors() {
		t.Fatalf("load policy: %v\n%s", diagnostics, text)
	}
	ruleset, err := enforcer.Compile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if err := nft.Normalize(ruleset); err != nil {
		t.Fatal(err)
	}
	return ruleset
}

// open connects to the guarded namespace's nftables.
func (g *guard) open() *nft.Conn {
	g.t.Helper()
	var conn *nft.Conn
	g.Guarded().Do(g.t, func() {
		var err error
		if conn, err = nft.Open(); err != nil {
			g.t.Fatal(err)
		}
	})
	g.t.Cleanup(func() { conn.Close() })
	return conn
}

// apply leads the guarded namespace from whatever it holds to the policies, in one transaction, and makes sure that
// reading back finds nothing left to do.
func (g *guard) apply(text string) {
	g.t.Helper()
	if g.conn == nil {
		g.conn = g.open()
	}
	if err := commit(g.conn, compile(g.t, text)); err != nil {
		g.t.Fatal(err)
	}
}

func commit(conn *nft.Conn, desired *enforcer.Ruleset) error {
	actual, generation, err := conn.Read()
	if err != nil {
		return err
	}
	if err := conn.Commit(enforcer.Diff(actual, desired, nothingKept{}).Transaction, generation); err != nil {
		return err
	}
	now, _, err := conn.Read()
	if err != nil {
		return err
	}
	if left := enforcer.Diff(now, desired, nothingKept{}); len(left.Drift) > 0 {
		return fmt.Errorf("after the commit the kernel differs: %+v", left.Drift)
	}
	return nil
}

// nothingKept knows no old content, so a changed list replaces its set.
type nothingKept struct{}

func (nothingKept) Part(string) (addrset.Part, bool) { return addrset.Part{}, false }

// dial makes one attempt to reach the guarded port of an address.
func (g *guard) dial(from, to netip.Addr) nettest.Outcome {
	g.t.Helper()
	return g.dialPort(from, to, port)
}

func (g *guard) dialPort(from, to netip.Addr, port uint16) nettest.Outcome {
	g.t.Helper()
	_, outcome := nettest.Dial(g.t, g.Client, from, netip.AddrPortFrom(to, port), nettest.SYNTimeout)
	return outcome
}

// expect makes one attempt and fails the test unless it ends as wanted.
func (g *guard) expect(from, to netip.Addr, want nettest.Outcome) {
	g.t.Helper()
	if got := g.dial(from, to); got != want {
		g.t.Errorf("%v to %v: %s, want %s", from, to, got, want)
	}
}

// counts fails the test unless the named counters hold these numbers of packets, soon.
func (g *guard) counts(want map[string]uint64) {
	g.t.Helper()
	var got map[string]uint64
	settled := func() bool {
		got = nettest.Counters(g.t, g.Guarded())
		for name, n := range want {
			if value, there := got[name]; !there || value != n {
				return false
			}
		}
		return true
	}
	for end := time.Now().Add(time.Second); !settled(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			for name, n := range want {
				if value, there := got[name]; !there || value != n {
					g.t.Errorf("counter %s: %d (there: %t), want %d", name, value, there, n)
				}
			}
			return
		}
	}
}
