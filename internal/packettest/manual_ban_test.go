package packettest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/bans"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// byHand makes and ends bans in the guarded namespace.
type byHand struct {
	*bans.Keeper
	t *testing.T
}

func (g *guard) byHand() byHand {
	return byHand{bans.NewKeeper(g.conn, bans.NewJournal(g.t.TempDir(), time.Now)), g.t}
}

func spansOf(t *testing.T, sources ...fmt.Stringer) []bans.Span {
	t.Helper()
	spans := make([]bans.Span, len(sources))
	for i, s := range sources {
		var err error
		if spans[i], err = bans.ParseSpan(s.String()); err != nil {
			t.Fatal(err)
		}
	}
	return spans
}

func (b byHand) ban(place bans.Place, d time.Duration, sources ...fmt.Stringer) {
	b.t.Helper()
	var entries []bans.Entry
	for _, s := range spansOf(b.t, sources...) {
		entries = append(entries, bans.Entry{Span: s, For: d})
	}
	if _, err := b.Add(place, entries, bans.Author{Login: "test"}); err != nil {
		b.t.Fatal(err)
	}
}

func (b byHand) free(place bans.Place, sources ...fmt.Stringer) {
	b.t.Helper()
	if _, err := b.Del(place, spansOf(b.t, sources...), false, bans.Author{}); err != nil {
		b.t.Fatal(err)
	}
}

var wholeHost bans.Place

const onePolicy = `policy "web" {
	ports = [%d]
	connection_limit { max = 100 }
}`

func TestSourcesBannedByHandAreDropped(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		single, prefixed, neighbour, stranger := f.source(1, 1), f.source(2, 77), f.source(1, 2), f.source(3, 1)
		g.apply(fmt.Sprintf(onePolicy, port))
		hand := g.byHand()
		hand.ban(wholeHost, time.Hour, single, group(prefixed))
		g.expect(single, f.server, dropped)
		g.expect(prefixed, f.server, dropped)
		g.expect(neighbour, f.server, connected)
		g.expect(stranger, f.server, connected)
		g.counts(map[string]uint64{"ban": 2, "policy.web.accepted": 2})
		// A ban of the host is about every port, also those that no policy guards: nobody would answer 80 with a reset.
		if got := g.dialPort(single, f.server, 80); got != dropped {
			t.Errorf("port 80: %s", got)
		}
		hand.free(wholeHost, single)
		g.expect(single, f.server, connected)
		g.expect(prefixed, f.server, dropped)
		hand.free(wholeHost, group(prefixed))
		g.expect(prefixed, f.server, connected)
	})
}

func TestBansByHandCutOpenConnections(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(onePolicy, port))
		banned, other := g.hold(f.server, f.source(1, 1))[0], g.hold(f.server, f.source(2, 1))[0]
		if err := nettest.Echo(banned, time.Second); err != nil {
			t.Fatal(err)
		}
		hand := g.byHand()
		hand.ban(wholeHost, time.Hour, f.source(1, 1))
		if err := nettest.Echo(banned, nettest.SYNTimeout); err == nil {
			t.Error("an open connection of a banned source lives")
		}
		if err := nettest.Echo(other, time.Second); err != nil {
			t.Errorf("another source's connection: %v", err)
		}
	})
}

func TestBansByHandEndByThemselves(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(onePolicy, port))
		start := time.Now()
		g.byHand().ban(wholeHost, 2*time.Second, f.source(1, 1), group(f.source(2, 1)))
		for _, source := range []netip.Addr{f.source(1, 1), f.source(2, 1)} {
			g.expect(source, f.server, dropped)
		}
		for _, source := range []netip.Addr{f.source(1, 1), f.source(2, 1)} {
			nettest.Await(t, 10*time.Second, source.String()+" is served again", func() bool {
				return g.dial(source, f.server) == connected
			})
			if took := time.Since(start); took < 2*time.Second {
				t.Errorf("%v was free after %v", source, took)
			}
		}
	})
}

func TestManagementPassesAlthoughBanned(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		admin := f.source(1, 1)
		g.apply(fmt.Sprintf("management { sources = [%q] }\n", group(admin)) + fmt.Sprintf(onePolicy, port))
		g.byHand().ban(wholeHost, time.Hour, admin, group(admin))
		g.expect(admin, f.server, connected)
		g.counts(map[string]uint64{"ban": 0})
	})
}

// A longer ban cuts a range that the kernel holds into pieces, in one transaction.
func TestOverlappingBansByHand(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(onePolicy, port))
		hand := g.byHand()
		wide := netip.PrefixFrom(f.source(4, 0), group(f.source(4, 0)).Bits()-2).Masked()
		hand.ban(wholeHost, time.Hour, wide)
		hand.ban(wholeHost, 2*time.Hour, group(f.source(5, 0)))
		for g4 := range uint32(4) {
			g.expect(f.source(4+g4, 9), f.server, dropped)
		}
		list, _, err := hand.List(nil, nil)
		if err != nil || len(list) != 3 {
			t.Errorf("bans are %v (%v), want three pieces", list, err)
		}
		hand.free(wholeHost, wide)
		for g4 := range uint32(4) {
			g.expect(f.source(4+g4, 9), f.server, connected)
		}
	})
}

func TestBansByHandSurviveApplies(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(onePolicy, port))
		hand := g.byHand()
		hand.ban(wholeHost, time.Hour, f.source(1, 1), group(f.source(2, 1)))
		for _, text := range []string{web(""), web(`description = "another"`), fmt.Sprintf("management { ports = [22] }\n"+onePolicy, port)} {
			g.apply(text)
			g.expect(f.source(1, 1), f.server, dropped)
			g.expect(f.source(2, 9), f.server, dropped)
			g.expect(f.source(3, 1), f.server, connected)
		}
		list, _, err := hand.List(nil, nil)
		if err != nil || len(list) != 2 {
			t.Fatal(list, err)
		}
		for _, b := range list {
			if b.Left <= 59*time.Minute || b.Left > time.Hour {
				t.Errorf("%v has %v left", b.Span, b.Left)
			}
		}
	})
}

// A ban in one policy is about what that policy guards, and of the whole group.
func TestBansByHandInOnePolicy(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		nettest.Listen(t, g.Server, nettest.Port(8080))
		g.apply(fmt.Sprintf(`
			policy "web" {
				ports = [%d]
				connection_limit { max = 100 }
				ban {
					after = "100/1m"
					for   = "10m"
					%s
				}
			}
			policy "other" {
				ports = [8080]
				connection_limit { max = 100 }
			}`, port, f.prefixArgument))
		hand, place := g.byHand(), bans.Place{Policy: "web"}
		entries, err := bans.Group(place, bans.Grouping{IPv4: 24, IPv6: 64}, []bans.Entry{{Span: spansOf(t, f.source(1, 1))[0], For: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hand.Add(place, entries, bans.Author{}); err != nil {
			t.Fatal(err)
		}
		g.expect(f.source(1, 1), f.server, dropped)
		g.expect(f.source(1, 200), f.server, dropped)
		g.expect(f.source(2, 1), f.server, connected)
		if got := g.dialPort(f.source(1, 1), f.server, 8080); got != connected {
			t.Errorf("the other policy's port: %s", got)
		}
		g.counts(map[string]uint64{"policy.web.ban": 2, "ban": 0})
		hand.free(place, group(f.source(1, 1)))
		g.expect(f.source(1, 1), f.server, connected)
	})
}
