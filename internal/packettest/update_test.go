package packettest

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// web is a policy in which everything but the limits may be varied without restarting their counts.
func web(extra string) string {
	return fmt.Sprintf(`policy "web" {
		ports = [%d]
		%s
		connection_limit {
			max    = 3
			action = "reset"
		}
		rate_limit { rate = "8/m" }
	}`, port, extra)
}

func TestLiveStateSurvivesAnApply(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(web(""))
		client := f.source(1, 1)
		held := g.hold(f.server, client, client, client)
		g.expect(client, f.server, reset)
		for _, extra := range []string{
			`description = "the same in other words"`,
			fmt.Sprintf("deny = [%q]", f.source(7, 1)),
			fmt.Sprintf("allow = [%q]", f.source(8, 1)),
			"",
		} {
			g.apply(web(extra))
			for _, conn := range held {
				if err := nettest.Echo(conn, time.Second); err != nil {
					t.Fatalf("an established connection after apply %q: %v", extra, err)
				}
			}
			// The limit still knows the three connections from before.
			g.expect(client, f.server, reset)
		}
		g.counts(map[string]uint64{"policy.web.accepted": 3, "policy.web.connection_limit": 5})

		// So does the bucket: 3 of its 8 tokens are spent.
		nettest.Close(t, g.Guarded(), port, 0, held...)
		for range 5 {
			nettest.Close(t, g.Guarded(), port, 0, g.hold(f.server, client)...)
		}
		g.expect(client, f.server, dropped)
		g.counts(map[string]uint64{"policy.web.accepted": 8, "policy.web.rate_limit": 1})
	})
}

func TestChangedLimitStartsAnewAndOthersDoNot(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		const limits = `policy "web" {
			ports = [443]
			connection_limit { max = %d }
			rate_limit { rate = "%d/m" }
		}`
		s := &syns{Sender: nettest.NewSender(t, g.Client), g: g, from: f.spoof(1, 1), to: f.server}
		g.apply(fmt.Sprintf(limits, 100, 5))
		s.send(9)
		g.counts(map[string]uint64{"policy.web.accepted": 5, "policy.web.rate_limit": 4})
		g.apply(fmt.Sprintf(limits, 200, 5))
		s.send(3)
		g.counts(map[string]uint64{"policy.web.accepted": 5, "policy.web.rate_limit": 7})
		g.apply(fmt.Sprintf(limits, 200, 6))
		s.send(9)
		g.counts(map[string]uint64{"policy.web.accepted": 11, "policy.web.rate_limit": 10})
	})
}

func TestLimitAppliesToConnectionsFromBeforeTheFirstApply(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		client := f.source(1, 1)
		before := g.hold(f.server, client, client, client)
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			connection_limit { max = 1 }
		}`, port))
		// They were opened without being asked, so they are never cut off.
		for range 3 {
			for _, conn := range before {
				if err := nettest.Echo(conn, time.Second); err != nil {
					t.Fatal(err)
				}
			}
		}
		g.expect(client, f.server, connected)
		g.expect(client, f.server, dropped)
	})
}

// oracle counts, in a table of its own behind tcpguard's, the SYNs that came through.
const oracle = `table inet oracle {
	counter through { }
	chain input {
		type filter hook input priority 10;
		tcp dport 443 tcp flags syn / syn,ack counter name through
	}
}
`

func TestAppliesUnderTrafficLoseAndLeakNoPacket(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		enemy := f.spoof(2, 1)
		policy := func(i int) string {
			// Every apply replaces the rules of the policy's chains and the content of its deny list.
			return fmt.Sprintf(`policy "web" {
				ports       = [%d]
				deny        = [%q, %q]
				connection_limit { max = %d }
			}`, port, enemy, f.spoof(3, uint32(i)), 1_000_000+i%2)
		}
		g.apply(policy(0))
		nettest.NftLoad(t, g.Server, oracle)
		conn := g.hold(f.server, f.source(1, 1))[0]

		var stop atomic.Bool
		var sent uint64
		sender := nettest.NewSender(t, g.Client)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := uint32(0); !stop.Load(); i++ {
				// Each SYN has an address and port of its own, so each opens a connection.
				to, friend, from := netip.AddrPortFrom(f.server, port), f.spoof(10+i/60000, 1), uint16(1024+i%60000)
				sender.SYN(t, netip.AddrPortFrom(friend, from), to)
				sender.SYN(t, netip.AddrPortFrom(enemy, from), to)
				sent++
			}
		}()
		const applies = 60
		for i := range applies {
			g.apply(policy(1 + i))
			if err := nettest.Echo(conn, time.Second); err != nil {
				t.Errorf("the established connection in apply %d: %v", i, err)
			}
		}
		stop.Store(true)
		<-done
		if sent < applies {
			t.Fatalf("only %d packets were sent in %d applies", sent, applies)
		}
		t.Logf("%d packets of each source in %d applies", sent, applies)
		nettest.Await(t, 2*time.Second, "all packets came through", func() bool {
			return nettest.Counters(t, g.Server, "oracle")["through"] >= sent+1
		})
		if through := nettest.Counters(t, g.Server, "oracle")["through"]; through != sent+1 {
			t.Errorf("%d SYNs came through, want %d of the friend and 1 of the connection", through, sent)
		}
		g.counts(map[string]uint64{"policy.web.deny": sent, "policy.web.accepted": sent + 1})
	})
}

func TestOtherTablesStayAsTheyAre(t *testing.T) {
	nettest.Need(t)
	g := guardPair(t)
	const other = "table inet other {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\ttcp dport 443 accept\n\t}\n}\n"
	nettest.NftLoad(t, g.Server, other)
	g.apply(`policy "web" {
		ports = [443, 444]
		connection_limit { max = 1 }
	}`)
	if got := nettest.NftList(t, g.Server, "table", "inet", "other"); got != other {
		t.Errorf("the other table is now:\n%s", got)
	}
	// What the other firewall drops we never accept: port 444 is within our limit and still shut.
	f := families[0]
	g.expect(f.source(1, 1), f.server, connected)
	if got := g.dialPort(f.source(2, 1), f.server, 444); got != dropped {
		t.Errorf("port 444: %s", got)
	}
}
