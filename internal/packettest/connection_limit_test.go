package packettest

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// hold opens a connection from each source in turn and fails the test when one is not made.
func (g *guard) hold(to netip.Addr, sources ...netip.Addr) []net.Conn {
	g.t.Helper()
	var held []net.Conn
	for _, from := range sources {
		held = append(held, nettest.Hold(g.t, g.Client, from, netip.AddrPortFrom(to, port), 1)...)
	}
	return held
}

func repeat(a netip.Addr, n int) []netip.Addr {
	out := make([]netip.Addr, n)
	for i := range out {
		out[i] = a
	}
	return out
}

func TestConnectionLimitHoldsExactlyItsNumber(t *testing.T) {
	for action, refused := range map[string]nettest.Outcome{"reset": reset, "drop": dropped} {
		t.Run(action, func(t *testing.T) {
			inFamilies(t, func(t *testing.T, f family, g *guard) {
				g.apply(fmt.Sprintf(`policy "web" {
					ports = [%d]
					connection_limit {
						max    = 5
						action = %q
					}
				}`, port, action))
				client, other := f.source(1, 1), f.source(2, 1)
				held := g.hold(f.server, repeat(client, 5)...)
				g.expect(client, f.server, refused)
				g.expect(other, f.server, connected)
				g.counts(map[string]uint64{
					"policy.web.connection_limit":      1,
					"policy.web.connection_limit.full": 0,
					"policy.web.accepted":              6,
				})

				// A closed connection frees its place, one and no more.
				nettest.Close(t, g.Guarded(), port, 5, held[2])
				g.hold(f.server, client)
				g.expect(client, f.server, refused)
				g.counts(map[string]uint64{"policy.web.connection_limit": 2, "policy.web.accepted": 7})
			})
		})
	}
}

func TestClientRotatingThroughItsPrefixIsOneSource(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			connection_limit {
				max    = 5
				action = "reset"
				%s
			}
		}`, port, f.prefixArgument))
		var rotating []netip.Addr
		for i := range uint32(5) {
			rotating = append(rotating, f.source(1, 1+i*11))
		}
		g.hold(f.server, rotating...)
		for i := range uint32(3) {
			g.expect(f.source(1, 200+i), f.server, reset)
		}
		g.expect(f.source(2, 1), f.server, connected)
		g.expect(f.source(0, 255), f.server, connected)
		g.counts(map[string]uint64{"policy.web.connection_limit": 3, "policy.web.accepted": 7})
	})
}

func TestSingleIPv4AddressesAreCountedApartByDefault(t *testing.T) {
	nettest.Need(t)
	g, f := guardPair(t), families[0]
	g.apply(fmt.Sprintf(`policy "web" {
		ports = [%d]
		connection_limit { max = 1 }
	}`, port))
	for i := range uint32(4) {
		g.hold(f.server, f.source(1, i))
	}
	g.expect(f.source(1, 2), f.server, dropped)
}

func TestConnectionLimitOnTheTotalCountsBothFamiliesTogether(t *testing.T) {
	nettest.Need(t)
	g := guardPair(t)
	g.apply(fmt.Sprintf(`policy "web" {
		ports = [%d]
		connection_limit {
			max    = 4
			per    = "total"
			action = "reset"
		}
	}`, port))
	for _, f := range families {
		g.hold(f.server, f.source(1, 1), f.source(2, 1))
	}
	for _, f := range families {
		g.expect(f.source(3, 1), f.server, reset)
	}
	g.counts(map[string]uint64{"policy.web.connection_limit": 2, "policy.web.connection_limit.full": 0, "policy.web.accepted": 4})
}

func TestEachPolicyCountsForItself(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		nettest.Listen(t, g.Server, nettest.Port(444))
		g.apply(`
			policy "web" {
				ports = [443]
				connection_limit { max = 2 }
			}
			policy "admin" {
				ports = [444]
				connection_limit { max = 2 }
			}`)
		client := f.source(1, 1)
		g.hold(f.server, client, client)
		for range 2 {
			if got := g.dialPort(client, f.server, 444); got != connected {
				t.Errorf("port 444 is %s when port 443 is full", got)
			}
		}
		if got := g.dialPort(client, f.server, 444); got != dropped {
			t.Errorf("third connection to port 444: %s", got)
		}
		g.counts(map[string]uint64{"policy.web.connection_limit": 0, "policy.admin.connection_limit": 1})
	})
}

func TestConnectionLimitCountsAllPortsOfItsPolicyTogether(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		for _, p := range []uint16{8000, 8005} {
			nettest.Listen(t, g.Server, nettest.Port(p))
		}
		g.apply(`policy "web" {
			ports = [443, "8000-8010"]
			connection_limit { max = 3 }
		}`)
		client := f.source(1, 1)
		g.hold(f.server, client)
		for _, p := range []uint16{8000, 8005} {
			if got := g.dialPort(client, f.server, p); got != connected {
				t.Errorf("port %d: %s", p, got)
			}
		}
		g.expect(client, f.server, dropped)
		if got := g.dialPort(client, f.server, 8011); got != reset {
			t.Errorf("port 8011, which nobody listens on and no policy covers: %s", got)
		}
	})
}
