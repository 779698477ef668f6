package packettest

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

func TestInterfacesNarrowAPolicy(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.SecondLink(t)
		g.apply(fmt.Sprintf(`policy "web" {
			ports      = [%d]
			interfaces = ["eth1"]
			connection_limit { max = 1 }
		}`, port))
		anywhere := netip.Addr{}
		g.expect(anywhere, f.second, connected)
		g.expect(anywhere, f.second, dropped)
		for range 3 {
			g.expect(anywhere, f.server, connected)
		}
		g.counts(map[string]uint64{"policy.web.connection_limit": 1, "policy.web.accepted": 1})
	})
}

func TestAddressesNarrowAPolicy(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`policy "web" {
			ports     = [%d]
			addresses = [%q]
			connection_limit { max = 1 }
		}`, port, f.alias))
		client := f.source(1, 1)
		g.expect(client, f.alias, connected)
		g.expect(client, f.alias, dropped)
		for range 3 {
			g.expect(client, f.server, connected)
		}
		g.counts(map[string]uint64{"policy.web.connection_limit": 1, "policy.web.accepted": 1})
	})
}

func TestInterfaceAndAddressNarrowTogether(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.SecondLink(t)
		g.apply(fmt.Sprintf(`
			policy "near" {
				ports      = [%[1]d]
				interfaces = ["eth0"]
				addresses  = [%[2]q]
				connection_limit { max = 1 }
			}
			policy "far" {
				ports      = [%[1]d]
				interfaces = ["eth1"]
				connection_limit { max = 2 }
			}`, port, group(f.server)))
		g.expect(netip.Addr{}, f.server, connected)
		g.expect(netip.Addr{}, f.server, dropped)
		for _, want := range []nettest.Outcome{connected, connected, dropped} {
			g.expect(netip.Addr{}, f.second, want)
		}
		g.counts(map[string]uint64{"policy.near.connection_limit": 1, "policy.far.connection_limit": 1})
	})
}

// loopback dials from the server to itself.
func (g *guard) loopback(to netip.Addr) nettest.Outcome {
	g.t.Helper()
	_, outcome := nettest.Dial(g.t, g.Server, netip.Addr{}, netip.AddrPortFrom(to, port), nettest.SYNTimeout)
	return outcome
}

func TestLoopbackIsLimitedOnlyWhereItIsNamed(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			nettest.Need(t)
			g := guardPair(t)
			home := netip.MustParseAddr("127.0.0.1")
			if f.server.Is6() {
				home = netip.IPv6Loopback()
			}
			const policy = `policy "web" {
				ports = [443]
				%s
				connection_limit { max = 1 }
			}`
			g.apply(fmt.Sprintf(policy, ""))
			for range 3 {
				if got := g.loopback(home); got != connected {
					t.Errorf("not named: %s", got)
				}
			}
			g.expect(f.source(1, 1), f.server, connected)
			g.expect(f.source(1, 1), f.server, dropped)

			g.apply(fmt.Sprintf(policy, `interfaces = ["lo"]`))
			for _, want := range []nettest.Outcome{connected, dropped} {
				if got := g.loopback(home); got != want {
					t.Errorf("named: %s, want %s", got, want)
				}
			}
			for range 3 {
				g.expect(f.source(2, 1), f.server, connected)
			}
		})
	}
}

func TestForwardGuardsHostsBehindThisOne(t *testing.T) {
	for action, refused := range map[string]nettest.Outcome{"reset": reset, "drop": dropped} {
		for _, f := range families {
			t.Run(action+" "+f.name, func(t *testing.T) {
				nettest.Need(t)
				g := guardRouted(t)
				g.apply(fmt.Sprintf(`policy "gateway" {
					ports = [%d]
					path  = "forward"
					deny  = [%q]
					connection_limit {
						max    = 2
						action = %q
					}
				}`, port, f.source(9, 1), action))
				client := f.source(1, 1)
				held := g.hold(f.server, client, client)
				g.expect(client, f.server, refused)
				g.expect(f.source(2, 1), f.server, connected)
				g.expect(f.source(9, 1), f.server, dropped)
				nettest.Close(t, g.Router, port, 2, held[0])
				g.expect(client, f.server, connected)
				g.counts(map[string]uint64{
					"policy.gateway.connection_limit": 1, "policy.gateway.accepted": 4, "policy.gateway.deny": 1,
				})
			})
		}
	}
}

func TestInputAndForwardAreApart(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			nettest.Need(t)
			g := guardRouted(t)
			// The router has a service of its own on the same port, which its own policy shuts.
			router := netip.MustParseAddr("10.1.0.1")
			if f.server.Is6() {
				router = netip.MustParseAddr("2001:db8:1::1")
			}
			nettest.Listen(t, g.Router, nettest.Port(port))
			client := f.source(1, 1)
			g.apply(fmt.Sprintf(`policy "own" {
				ports = [%d]
				deny  = [%q]
				connection_limit { max = 1 }
			}`, port, client))
			g.expect(client, router, dropped)
			for range 3 {
				g.expect(client, f.server, connected)
			}
			g.apply(fmt.Sprintf(`policy "behind" {
				ports = [%d]
				path  = "forward"
				deny  = [%q]
				connection_limit { max = 1 }
			}`, port, client))
			g.expect(client, f.server, dropped)
			for range 3 {
				g.expect(client, router, connected)
			}
		})
	}
}

func TestMonitorCountsAndNeverDrops(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`
			policy "web" {
				ports = [%d]
				mode  = "monitor"
				deny  = [%q]
				connection_limit {
					max    = 2
					action = "reset"
				}
			}`, port, f.source(9, 1)))
		client := f.source(1, 1)
		for range 5 {
			g.hold(f.server, client)
		}
		g.expect(f.source(9, 1), f.server, connected)
		g.counts(map[string]uint64{
			"policy.web.connection_limit": 3, "policy.web.deny": 1, "policy.web.accepted": 2,
		})
	})
}

func TestMonitorOfRatesOnlyAndFullTablesDropsNothing(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		admitted := f.source(1, 1)
		g.apply(fmt.Sprintf(`
			policy "web" {
				ports = [%d]
				mode  = "monitor"
				only  = [%q, %q, %q]
				rate_limit {
					rate       = "2/m"
					table_size = 2
				}
			}`, port, admitted, f.source(2, 1), f.source(3, 1)))
		for range 5 {
			g.hold(f.server, admitted)
		}
		g.hold(f.server, f.source(2, 1), f.source(3, 1), f.source(4, 1))
		g.counts(map[string]uint64{
			"policy.web.rate_limit": 3, "policy.web.rate_limit.full": 1, "policy.web.only": 1,
		})
	})
}

func TestPolicyThatIsOffDoesNothing(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			mode  = "off"
			deny  = [%q]
			connection_limit { max = 1 }
		}`, port, f.source(1, 1)))
		for range 3 {
			g.expect(f.source(1, 1), f.server, connected)
		}
	})
}
