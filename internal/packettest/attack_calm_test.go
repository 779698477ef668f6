package packettest

import (
	"net/netip"
	"testing"

	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

func TestCalmClientIsNeverChallengedAndTheExcessIs(t *testing.T) {
	for action, want := range map[policy.Action]nettest.Outcome{policy.ActionReset: reset, policy.ActionDrop: dropped} {
		t.Run(string(action), func(t *testing.T) {
			inPaths(t, func(t *testing.T, f family, g *guard, path policy.Path) {
				// Who has not proved itself may take half; the rest is kept for who has.
				const held, unproven = 8, 4
				want := proven(path, want)
				g.protectWith(guarded(policy.ProtectAuto, holding(held, action), func(p *policy.Policy) { p.Path = path }))
				client, other := f.source(1, 1), f.source(2, 1)
				conns := g.hold(f.server, repeat(client, unproven)...)
				for _, c := range conns {
					if err := nettest.Echo(c, patience); err != nil {
						t.Fatal(err)
					}
					if n := nettest.Retransmissions(t, c); n != 0 {
						t.Errorf("%d retransmissions on a connection that nobody challenged", n)
					}
				}
				g.counts(map[string]uint64{
					"policy.web.accepted": unproven, "policy.web.syn_flood.challenged": 0, "policy.web.syn_flood.excess": 0,
				})
				// The next SYN is dropped and its retransmission challenged; from then on SYNs are challenged at once.
				if n := nettest.Retransmissions(t, g.visit(client, f.server)); n != 1 {
					t.Errorf("%d retransmissions where the challenges begin, want 1", n)
				}
				for range held - unproven - 1 {
					if n := nettest.Retransmissions(t, g.visit(client, f.server)); n != 0 {
						t.Errorf("%d retransmissions on a proven connection", n)
					}
				}
				if got := g.refused(client, f.server); got != want {
					t.Errorf("connection %d: %s, want %s", held+1, got, want)
				}
				g.expect(other, f.server, connected)
				now := nettest.Counters(t, g.Guarded())
				if now["policy.web.syn_flood.excess"] != 1 || now["policy.web.connection_limit"] < 1 {
					t.Errorf("counters %v", now)
				}
				g.server.AwaitHeld(t, held+1)
				conns[0].Close()
				g.server.AwaitHeld(t, held)
				g.visit(client, f.server)
				if got := g.refused(client, f.server); got != want {
					t.Errorf("after one was closed and its place taken: %s, want %s", got, want)
				}
			})
		})
	}
}

func TestSynproxyHoldsExactlyItsNumber(t *testing.T) {
	for action, want := range map[policy.Action]nettest.Outcome{policy.ActionReset: reset, policy.ActionDrop: dropped} {
		t.Run(string(action), func(t *testing.T) {
			inPaths(t, func(t *testing.T, f family, g *guard, path policy.Path) {
				const held = 5
				want := proven(path, want)
				g.protectWith(guarded(policy.ProtectSynproxy, holding(held, action), func(p *policy.Policy) { p.Path = path }))
				client := f.source(1, 1)
				first := g.visit(client, f.server)
				for range held - 1 {
					g.visit(client, f.server)
				}
				if got := g.refused(client, f.server); got != want {
					t.Errorf("connection %d: %s, want %s", held+1, got, want)
				}
				g.visit(f.source(2, 1), f.server)
				first.Close()
				g.server.AwaitHeld(t, held)
				g.visit(client, f.server)
				if got := g.refused(client, f.server); got != want {
					t.Errorf("after one was closed and its place taken: %s, want %s", got, want)
				}
			})
		})
	}
}

func TestScopesHoldOnTheProvenPath(t *testing.T) {
	for name, change := range map[string]func(*policy.Policy){
		"interface": func(p *policy.Policy) { p.Interfaces = []string{"eth0"} },
		"address":   func(p *policy.Policy) { p.Addresses = []netip.Prefix{} },
	} {
		t.Run(name, func(t *testing.T) {
			inPaths(t, func(t *testing.T, f family, g *guard, path policy.Path) {
				g.protectWith(guarded(policy.ProtectSynproxy, holding(2, policy.ActionReset), change, func(p *policy.Policy) {
					p.Path = path
					if p.Addresses != nil {
						p.Addresses = []netip.Prefix{netip.PrefixFrom(f.server, f.server.BitLen())}
					}
				}))
				client := f.source(1, 1)
				g.visit(client, f.server)
				g.visit(client, f.server)
				if got, want := g.refused(client, f.server), proven(path, reset); got != want {
					t.Errorf("third connection: %s, want %s", got, want)
				}
				if now := nettest.Counters(t, g.Guarded()); now["policy.web.connection_limit"] == 0 || now["policy.web.accepted"] != 2 {
					t.Errorf("counters %v", now)
				}
			})
		})
	}
}

// proven is what a refusal comes to after a challenge: a host behind the guard cannot be spoken for, so a RST in its
// name is not sent.
func proven(path policy.Path, declared nettest.Outcome) nettest.Outcome {
	if path == policy.PathForward {
		return dropped
	}
	return declared
}
