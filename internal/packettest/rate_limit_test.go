package packettest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

func TestBurstIsAdmittedToThePacket(t *testing.T) {
	for _, c := range []struct {
		name, limit string
		admitted    uint64
	}{
		{"token, burst is the rate's count", `rate = "10/60s"`, 10},
		{"token, smaller burst", "rate = \"10/60s\"\nburst = 3", 3},
		{"token, greater burst", "rate = \"10/60s\"\nburst = 17", 17},
		{"token, burst of one", "rate = \"1/m\"\nburst = 1", 1},
		{"token, odd period", `rate = "7/97s"`, 7},
		{"fixed", "rate = \"10/60s\"\nwindow = \"fixed\"", 10},
		{"fixed, one", "rate = \"1/30s\"\nwindow = \"fixed\"", 1},
		{"fixed, odd period", "rate = \"23/61s\"\nwindow = \"fixed\"", 23},
	} {
		t.Run(c.name, func(t *testing.T) {
			inFamilies(t, func(t *testing.T, f family, g *guard) {
				g.apply(fmt.Sprintf(`policy "web" {
					ports = [%d]
					rate_limit {
						%s
					}
				}`, port, c.limit))
				const sent = 30
				sender := nettest.NewSender(t, g.Client)
				for _, group := range []uint32{1, 2} {
					sender.SYNs(t, f.spoof(group, 1), netip.AddrPortFrom(f.server, port), sent)
				}
				g.counts(map[string]uint64{
					"policy.web.accepted":        2 * c.admitted,
					"policy.web.rate_limit":      2 * (sent - c.admitted),
					"policy.web.rate_limit.full": 0,
				})
			})
		})
	}
}

// accepted reads how many connections the policy has let pass.
func (g *guard) accepted() uint64 {
	g.t.Helper()
	return nettest.Counters(g.t, g.Guarded())["policy.web.accepted"]
}

// syns sends SYNs one at a time, from ports of their own, and remembers when the first and the last left.
type syns struct {
	*nettest.Sender
	g           *guard
	from, to    netip.Addr
	sent        uint16
	first, last time.Time
}

func (s *syns) one() {
	s.g.t.Helper()
	if s.sent == 0 {
		s.first = time.Now()
	}
	s.SYN(s.g.t, netip.AddrPortFrom(s.from, 2000+s.sent), netip.AddrPortFrom(s.to, port))
	s.last = time.Now()
	s.sent++
}

func (s *syns) send(n int) {
	s.g.t.Helper()
	for range n {
		s.one()
	}
}

func TestTokenBucketRefillsAtItsRate(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		const burst, perSecond = 3, 20
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			rate_limit {
				rate  = "%d/s"
				burst = %d
			}
		}`, port, perSecond, burst))
		s := &syns{Sender: nettest.NewSender(t, g.Client), g: g, from: f.spoof(1, 1), to: f.server}
		// An offer far above the rate for three quarters of a second takes every token as it comes.
		for s.sent == 0 || s.last.Sub(s.first) < 750*time.Millisecond {
			s.one()
			time.Sleep(2 * time.Millisecond)
		}
		refilled := s.last.Sub(s.first).Seconds() * perSecond
		got := float64(g.accepted()) - burst
		// One token may have come between the last two packets or right after them.
		if got > refilled+1 || got < refilled-1.5 {
			t.Errorf("%.0f admitted beyond the burst in %v, want %.1f", got, s.last.Sub(s.first), refilled)
		}
	})
}

func TestFixedWindowOpensAnewWhenItHasPassed(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		const count, window = 4, time.Second
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			rate_limit {
				rate   = "%d/%s"
				window = "fixed"
			}
		}`, port, count, window))
		s := &syns{Sender: nettest.NewSender(t, g.Client), g: g, from: f.spoof(1, 1), to: f.server}
		s.send(10)
		g.counts(map[string]uint64{"policy.web.accepted": count, "policy.web.rate_limit": 10 - count})
		// Going on without a pause must not keep the window from ending.
		nettest.Await(t, 5*time.Second, "the second window", func() bool {
			s.one()
			return g.accepted() > count
		})
		// The kernel keeps timeouts in jiffies, of at most 10 ms.
		if passed := s.last.Sub(s.first); passed < window-10*time.Millisecond || passed > window+500*time.Millisecond {
			t.Errorf("the second window came after %v, want %v", passed, window)
		}
		s.send(10)
		g.counts(map[string]uint64{"policy.web.accepted": 2 * count, "policy.web.rate_limit": uint64(s.sent) - 2*count})
	})
}

func TestRotatingClientIsOneSourceForARate(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			rate_limit {
				rate = "5/m"
				%s
			}
		}`, port, f.prefixArgument))
		sender := nettest.NewSender(t, g.Client)
		for i := range uint32(20) {
			sender.SYNs(t, f.spoof(1, i), netip.AddrPortFrom(f.server, port), 1)
		}
		g.counts(map[string]uint64{"policy.web.accepted": 5, "policy.web.rate_limit": 15})
	})
}

func TestRateLimitRefusesAsDeclared(t *testing.T) {
	for action, refused := range map[string]nettest.Outcome{"reset": reset, "drop": dropped} {
		t.Run(action, func(t *testing.T) {
			inFamilies(t, func(t *testing.T, f family, g *guard) {
				g.apply(fmt.Sprintf(`policy "web" {
					ports = [%d]
					rate_limit {
						rate   = "2/m"
						action = %q
					}
				}`, port, action))
				client := f.source(1, 1)
				held := g.hold(f.server, client, client)
				g.expect(client, f.server, refused)
				// Only new connections are limited: those that were admitted go on.
				for _, conn := range held {
					for range 10 {
						if err := nettest.Echo(conn, time.Second); err != nil {
							t.Fatal(err)
						}
					}
				}
			})
		})
	}
}

func TestRateOnTheTotalCountsBothFamiliesTogether(t *testing.T) {
	nettest.Need(t)
	g := guardPair(t)
	g.apply(fmt.Sprintf(`policy "web" {
		ports = [%d]
		rate_limit {
			rate = "7/m"
			per  = "total"
		}
	}`, port))
	sender := nettest.NewSender(t, g.Client)
	for _, f := range families {
		for i := range uint32(5) {
			sender.SYNs(t, f.spoof(i, 1), netip.AddrPortFrom(f.server, port), 1)
		}
	}
	g.counts(map[string]uint64{"policy.web.accepted": 7, "policy.web.rate_limit": 3, "policy.web.rate_limit.full": 0})
}

func TestBothLimitsHoldTogether(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(fmt.Sprintf(`policy "web" {
			ports = [%d]
			connection_limit {
				max    = 2
				action = "reset"
			}
			rate_limit { rate = "4/m" }
		}`, port))
		client := f.source(1, 1)
		held := g.hold(f.server, client, client)
		// What the connection limit refuses costs no token.
		for range 3 {
			g.expect(client, f.server, reset)
		}
		nettest.Close(t, g.Guarded(), port, 0, held...)
		held = g.hold(f.server, client, client)
		nettest.Close(t, g.Guarded(), port, 0, held...)
		g.expect(client, f.server, dropped)
		g.counts(map[string]uint64{"policy.web.connection_limit": 3, "policy.web.rate_limit": 1, "policy.web.accepted": 4})
	})
}

func TestUDPRateLimitCountsNewFlows(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.apply(`policy "dns" {
			protocol = "udp"
			ports    = [53]
			rate_limit { rate = "6/m" }
		}`)
		sender := nettest.NewSender(t, g.Client)
		to := netip.AddrPortFrom(f.server, 53)
		for i := range uint16(10) {
			sender.Send(t, f.server, nettest.Datagram(netip.AddrPortFrom(f.spoof(1, 1), 3000+i), to, []byte("query")))
		}
		g.counts(map[string]uint64{"policy.dns.accepted": 6, "policy.dns.rate_limit": 4})
	})
}
