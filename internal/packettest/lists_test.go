package packettest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

func TestAllowedSourcesAreNeverLimited(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		friend, prefixed, stranger := f.source(1, 1), f.source(2, 77), f.source(3, 1)
		g.apply(fmt.Sprintf(`
			list "monitoring" { addresses = [%q] }
			policy "web" {
				ports = [%d]
				allow = [list.monitoring, %q]
				connection_limit { max = 1 }
				rate_limit { rate = "1/m" }
			}`, friend, port, group(prefixed)))
		for range 4 {
			g.hold(f.server, friend, prefixed)
		}
		g.expect(stranger, f.server, connected)
		g.expect(stranger, f.server, dropped)
		g.counts(map[string]uint64{"policy.web.allow": 8, "policy.web.accepted": 1})
	})
}

// group is the /24 or /64 of an address.
func group(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

func TestDeniedSourcesAreDropped(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		single, prefixed, stranger := f.source(1, 1), f.source(2, 77), f.source(1, 2)
		g.apply(fmt.Sprintf(`
			list "blocklist" { addresses = [%q] }
			policy "web" {
				ports = [%d]
				deny  = [list.blocklist, %q]
				connection_limit { max = 100 }
			}`, single, port, group(prefixed)))
		g.expect(single, f.server, dropped)
		g.expect(prefixed, f.server, dropped)
		g.expect(stranger, f.server, connected)
		// A deny list is a policy's: other ports are not its business. Nobody listens there.
		if got := g.dialPort(single, f.server, 80); got != reset {
			t.Errorf("port 80: %s", got)
		}
		g.counts(map[string]uint64{"policy.web.deny": 2, "policy.web.accepted": 1})
	})
}

func TestDeniedPacketsNeverReachConntrack(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			deny  = [%q]
			connection_limit { max = 100 }
		}`, port, f.source(1, 1)))
		nettest.NftLoad(t, g.Server, `table inet oracle {
			counter tracked { }
			chain prerouting {
				type filter hook prerouting priority -150;
				tcp dport 443 counter name tracked
			}
		}
		`)
		g.expect(f.source(1, 1), f.server, dropped)
		if n := nettest.Counters(t, g.Server, "oracle")["tracked"]; n != 0 {
			t.Errorf("%d denied packets came past conntrack", n)
		}
	})
}

func TestDenyEndsEstablishedConnections(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		const open = `policy "web" {
			ports = [443]
			connection_limit { max = 100 }
		}`
		g.apply(open)
		client := f.source(1, 1)
		conn := g.hold(f.server, client)[0]
		if err := nettest.Echo(conn, time.Second); err != nil {
			t.Fatal(err)
		}
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [443]
			deny  = [%q]
			connection_limit { max = 100 }
		}`, client))
		if err := nettest.Echo(conn, 100*time.Millisecond); err == nil {
			t.Error("a connection of a denied source goes on")
		}
	})
}

func TestOnlyAdmitsItsListsAndNobodyElse(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		single, prefixed, stranger := f.source(1, 1), f.source(2, 77), f.source(1, 2)
		g.apply(fmt.Sprintf(`
			list "apps" { addresses = [%q] }
			policy "web" {
				ports = [%d]
				only  = [list.apps, %q]
				connection_limit {
					max    = 2
					action = "reset"
				}
			}`, single, port, group(prefixed)))
		g.hold(f.server, single, single, prefixed)
		g.expect(stranger, f.server, dropped)
		// Being admitted is no exemption from limits.
		g.expect(single, f.server, reset)
		g.counts(map[string]uint64{"policy.web.only": 1, "policy.web.connection_limit": 1, "policy.web.accepted": 3})
	})
}

func TestOnlyOfOneFamilyShutsTheOtherOut(t *testing.T) {
	nettest.Need(t)
	g := guardPair(t)
	v4, v6 := families[0], families[1]
	g.apply(fmt.Sprintf(`policy "web" {
		ports = [%d]
		only  = [%q]
		connection_limit { max = 10 }
	}`, port, v4.source(1, 1)))
	g.expect(v4.source(1, 1), v4.server, connected)
	g.expect(v6.source(1, 1), v6.server, dropped)
}

func TestDenyWinsOverAllow(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			allow = [%q]
			deny  = [%q]
			connection_limit { max = 10 }
		}`, port, group(f.source(1, 1)), f.source(1, 1)))
		g.expect(f.source(1, 1), f.server, dropped)
		g.expect(f.source(1, 2), f.server, connected)
		g.counts(map[string]uint64{"policy.web.deny": 1, "policy.web.allow": 1})
	})
}

func TestManagementSourcesPassBeforeEverything(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		admin := f.source(1, 1)
		g.apply(fmt.Sprintf(`
			management { sources = [%q] }
			policy "web" {
				ports = [%d]
				only  = [%q]
				connection_limit { max = 1 }
				rate_limit { rate = "1/m" }
			}`, group(admin), port, f.source(2, 1)))
		for range 4 {
			g.hold(f.server, admin)
		}
		g.expect(f.source(3, 1), f.server, dropped)
		g.expect(f.source(2, 1), f.server, connected)
		g.expect(f.source(2, 1), f.server, dropped)
		g.counts(map[string]uint64{"policy.web.accepted": 1, "policy.web.only": 1})
	})
}

func TestManagementPortsPassForEverybody(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		nettest.Listen(t, g.Server, nettest.Port(22))
		g.apply(fmt.Sprintf(`
			management { ports = [22] }
			policy "web" {
				ports = [%d]
				connection_limit { max = 1 }
			}`, port))
		for range 3 {
			if got := g.dialPort(f.source(1, 1), f.server, 22); got != connected {
				t.Errorf("port 22: %s", got)
			}
		}
		g.hold(f.server, f.source(1, 1))
		g.expect(f.source(1, 1), f.server, dropped)
	})
}
