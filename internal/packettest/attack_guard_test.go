package packettest

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// patience is what a client waits that is ready to send its SYN again: two retransmissions, after one second and after
// three.
const patience = 4 * time.Second

// silence is what a client waits for a RST on a connection that was refused after a challenge: its own first probe of the
// window asks for it, at the latest a doubled retransmission timeout after the connection.
const silence = 2500 * time.Millisecond

// perSource counts single IPv4 addresses and IPv6 /64, as the language does by default.
func perSource() policy.Grouping {
	return policy.Grouping{Per: policy.PerSource, IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 65536, OnFull: policy.OnFullDrop}
}

// guarded is a policy for the port with the given protection and the defaults of the language.
func guarded(protect policy.Protect, change ...func(*policy.Policy)) policy.Policy {
	p := policy.Policy{
		Name: "web", Protocol: policy.TCP, Ports: []policy.PortRange{{First: port, Last: port}}, Path: policy.PathInput, Mode: policy.ModeEnforce,
		SYNFlood: &policy.SYNFlood{
			Protect: protect, Threshold: perSecond(500), Rate: perSecond(24000), MSS4: 1460, MSS6: 1440, WScale: 7, SACK: true,
		},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func perSecond(n uint64) policy.Rate { return policy.Rate{Count: n, Interval: time.Second} }

func holding(maximum uint32, action policy.Action) func(*policy.Policy) {
	return func(p *policy.Policy) {
		p.Connection = &policy.ConnectionLimit{Grouping: perSource(), Max: maximum, Action: action}
	}
}

func opening(rate policy.Rate) func(*policy.Policy) {
	return func(p *policy.Policy) {
		p.Rate = &policy.RateLimit{Grouping: perSource(), Rate: rate, Burst: uint32(rate.Count), Window: policy.WindowToken, Action: policy.ActionDrop}
	}
}

func threshold(n uint64) func(*policy.Policy) {
	return func(p *policy.Policy) { p.SYNFlood.Threshold = perSecond(n) }
}

func forwarded(p *policy.Policy) { p.Path = policy.PathForward }

// guardFor makes a topology where the policy's path leads through the guarded namespace.
func guardFor(t *testing.T, path policy.Path) *guard {
	if path == policy.PathForward {
		return guardRouted(t)
	}
	return guardPair(t)
}

// inPaths runs a test for both families and for both paths.
func inPaths(t *testing.T, test func(t *testing.T, f family, g *guard, path policy.Path)) {
	nettest.Need(t)
	nettest.NeedProgram(t, "nft")
	for _, path := range []policy.Path{policy.PathInput, policy.PathForward} {
		for _, f := range families {
			t.Run(string(path)+" "+f.name, func(t *testing.T) {
				t.Parallel()
				test(t, f, guardFor(t, path), path)
			})
		}
	}
}

// protect applies policies together with the settings that they cannot work without.
func (g *guard) protect(b *policy.Bundle) {
	g.t.Helper()
	if g.conn == nil {
		g.conn = g.open()
	}
	ruleset, err := enforcer.Compile(b)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := nft.Normalize(ruleset); err != nil {
		g.t.Fatal(err)
	}
	if err := commit(g.conn, ruleset); err != nil {
		g.t.Fatal(err)
	}
	for _, s := range sysctl.Protections(b.Policies) {
		g.Guarded().SetSysctl(g.t, strings.ReplaceAll(s.Key, ".", "/"), strings.Join(s.Want, " "))
	}
}

func (g *guard) protectWith(policies ...policy.Policy) {
	g.t.Helper()
	g.protect(&policy.Bundle{Policies: policies})
}

func (g *guard) counter(name string) uint64 {
	g.t.Helper()
	return nettest.Counters(g.t, g.Guarded())[name]
}

// visit connects as an ordinary client and fails the test unless data flows both ways.
func (g *guard) visit(from, to netip.Addr) net.Conn {
	g.t.Helper()
	conn, err := nettest.Visit(g.t, g.Client, from, netip.AddrPortFrom(to, port), patience)
	if err != nil {
		g.t.Fatalf("%v to %v: %v", from, to, err)
	}
	if err := nettest.Echo(conn, patience); err != nil {
		g.t.Fatalf("%v to %v: connected, then: %v", from, to, err)
	}
	return conn
}

// refused makes an attempt as an ordinary client does. A challenge is answered in the service's name, so a refusal
// shows either as no connection or as one on which nothing is ever answered.
func (g *guard) refused(from, to netip.Addr) nettest.Outcome {
	g.t.Helper()
	conn, err := nettest.Visit(g.t, g.Client, from, netip.AddrPortFrom(to, port), patience)
	if err == nil {
		err = nettest.Echo(conn, silence)
		conn.Close()
	}
	return outcomeOf(err)
}

func outcomeOf(err error) nettest.Outcome {
	switch {
	case err == nil:
		return connected
	case strings.Contains(err.Error(), "refused"), strings.Contains(err.Error(), "reset"):
		return reset
	default:
		return dropped
	}
}
