package packettest

import (
	"fmt"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

func TestFullTableDoesWhatOnFullSays(t *testing.T) {
	for limit, text := range map[string]string{
		"connection_limit": "max = 5",
		"rate_limit":       `rate = "5/m"`,
	} {
		for onFull, third := range map[string]nettest.Outcome{"drop": dropped, "pass": connected} {
			t.Run(limit+" "+onFull, func(t *testing.T) {
				inFamilies(t, func(t *testing.T, f family, g *guard) {
					g.apply(fmt.Sprintf(`policy "web" {
						ports = [%d]
						%s {
							%s
							table_size = 2
							on_full    = %q
						}
					}`, port, limit, text, onFull))
					g.hold(f.server, f.source(1, 1), f.source(2, 1))
					g.expect(f.source(3, 1), f.server, third)
					// Those that have a place keep it, and their limit.
					g.hold(f.server, f.source(1, 1), f.source(2, 1))
					g.counts(map[string]uint64{"policy.web." + limit + ".full": 1, "policy.web." + limit: 0})
				})
			})
		}
	}
}

func TestPlaceInAFullTableIsFreedWithItsLastConnection(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			connection_limit {
				max        = 5
				table_size = 2
				action     = "reset"
			}
		}`, port))
		held := g.hold(f.server, f.source(1, 1), f.source(2, 1), f.source(2, 1))
		g.expect(f.source(3, 1), f.server, dropped)
		nettest.Close(t, g.Guarded(), port, 2, held[0])
		// The kernel collects empty elements once a second (nft_set_gc_interval).
		nettest.Await(t, 10*time.Second, "the third source finds a place", func() bool {
			return g.dial(f.source(3, 1), f.server) == connected
		})
		g.expect(f.source(4, 1), f.server, dropped)
	})
}

func TestFullTablesOfTheTwoFamiliesAreApart(t *testing.T) {
	nettest.Need(t)
	g := guardPair(t)
	g.apply(fmt.Sprintf(`policy "web" {
		ports = [%d]
		connection_limit {
			max        = 5
			table_size = 1
		}
	}`, port))
	for _, f := range families {
		g.hold(f.server, f.source(1, 1))
		g.expect(f.source(2, 1), f.server, dropped)
	}
	g.counts(map[string]uint64{"policy.web.connection_limit.full": 2})
}
