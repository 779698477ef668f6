package packettest

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// attackTime is how long a flood lasts: short in an ordinary run, as long as TCPGUARD_ATTACK says in a nightly one
// ("60s").
func attackTime(t *testing.T, ordinary time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("TCPGUARD_ATTACK")
	if text == "" {
		return ordinary
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("TCPGUARD_ATTACK: %v", err)
	}
	return d
}

// spoofSYNs sends SYNs to the port, the i-th from what source gives.
func (g *guard) spoofSYNs(to netip.Addr, perSecond int, source func(i int) netip.Addr) *nettest.Flood {
	g.t.Helper()
	target := netip.AddrPortFrom(to, port)
	return nettest.StartFlood(g.t, g.Client, perSecond, func(i int) (netip.Addr, []byte) {
		from := netip.AddrPortFrom(source(i), uint16(1024+i%28000))
		return to, nettest.Segment(from, target, nettest.SYN, rand.Uint32(), 0)
	})
}

// tracked is how many connections the guarded namespace's conntrack holds, whatever they are.
func (g *guard) tracked() int {
	g.t.Helper()
	n, err := strconv.Atoi(g.Guarded().Sysctl(g.t, "net/netfilter/nf_conntrack_count"))
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// crowd lets clients come one after the other, each from its own source, until the time is up, and says how many came
// and how many were not served.
func (g *guard) crowd(to netip.Addr, during time.Duration, source func(i int) netip.Addr) (came, failed int) {
	g.t.Helper()
	for end := time.Now().Add(during); came == 0 || time.Now().Before(end); came++ {
		conn, err := nettest.Visit(g.t, g.Client, source(came), netip.AddrPortFrom(to, port), patience)
		if err == nil {
			err = nettest.Echo(conn, patience)
			conn.Close()
		}
		if err != nil {
			failed++
			g.t.Logf("client %d from %v: %v", came, source(came), err)
		}
	}
	return came, failed
}

// served fails the test unless at least 99 of 100 clients were.
func (g *guard) served(what string, came, failed int) {
	g.t.Helper()
	if came == 0 || failed*100 > came {
		g.t.Errorf("%s: %d of %d clients were not served", what, failed, came)
	}
}

func TestFloodOfForgedSourcesFillsNothingAndHarmsNobody(t *testing.T) {
	inPaths(t, func(t *testing.T, f family, g *guard, path policy.Path) {
		const limit = 200
		g.protectWith(guarded(policy.ProtectAuto, holding(20, policy.ActionReset), opening(policy.Rate{Count: 1000, Interval: time.Minute}),
			threshold(limit), func(p *policy.Policy) { p.Path = path }))
		began := time.Now()
		flood := g.spoofSYNs(f.server, 10_000, func(i int) netip.Addr { return f.spoof(uint32(rand.N(32768)), uint32(rand.N(200))) })
		came, failed := g.crowd(f.server, attackTime(t, 2*time.Second), func(i int) netip.Addr { return f.source(uint32(i%250), 1) })
		entries, admitted := g.tracked(), limit*(1+time.Since(began).Seconds())
		flood.Stop()
		g.served("under the flood", came, failed)
		t.Logf("%d forged SYNs, %d clients, %d entries", flood.Sent(), came, entries)
		if flood.Sent() < 4*limit {
			t.Fatalf("only %d SYNs were sent", flood.Sent())
		}
		// Every client may have left an entry in TIME_WAIT, and one in passing.
		if float64(entries) > admitted+2*float64(came)+10 {
			t.Errorf("%d entries in conntrack; the threshold admits %.0f, %d clients came", entries, admitted, came)
		}
		if challenged := g.counter("policy.web.syn_flood.challenged"); challenged == 0 {
			t.Error("nobody was challenged")
		}
	})
}

// quiet keeps the client's namespace from answering what it did not ask for, as a client behind a NAT or a firewall: no
// RST tells the service that a SYN was forged. Forged SYNs have ports below those that the kernel gives.
const quiet = `table inet quiet {
	chain input {
		type filter hook input priority 0;
		tcp sport 443 tcp dport < 30000 drop
	}
}`

func TestInnocentWhoseAddressIsForgedIsServed(t *testing.T) {
	for name, rules := range map[string]string{"answering": "", "quiet": quiet} {
		for _, rate := range []int{300, 20_000} {
			t.Run(name+" "+strconv.Itoa(rate), func(t *testing.T) {
				inFamilies(t, func(t *testing.T, f family, g *guard) {
					if rules != "" {
						nettest.NftLoad(t, g.Client, rules)
					}
					// The bucket has no time to fill again: the innocent lives on what is kept for it.
					g.protectWith(guarded(policy.ProtectAuto, holding(20, policy.ActionReset), banning(policy.ProofHandshake),
						opening(policy.Rate{Count: 40, Interval: time.Minute})))
					innocent := func(int) netip.Addr { return f.source(1, 1) }
					flood := g.spoofSYNs(f.server, rate, innocent)
					// By then the forger has all that it can get.
					nettest.Await(t, 5*time.Second, "the innocent's address is challenged", func() bool {
						return g.counter("policy.web.syn_flood.excess") > 0
					})
					visits := func(what string, n int, every time.Duration) {
						failed := 0
						for i := range n {
							if i > 0 {
								time.Sleep(every)
							}
							_, f := g.crowd(f.server, 0, innocent)
							failed += f
						}
						g.served(what, n, failed)
					}
					during := attackTime(t, 500*time.Millisecond)
					if during < 10*time.Second {
						visits("during", 5, during/5)
					} else {
						visits("during", int(during/(2*time.Second)), 2*time.Second)
					}
					flood.Stop()
					visits("after", 4, 100*time.Millisecond)
					g.counts(map[string]uint64{"policy.web.ban.added": 0, "policy.web.ban": 0})
				})
			})
		}
	}
}

func banning(proof policy.Proof, change ...func(*policy.Ban)) func(*policy.Policy) {
	return func(p *policy.Policy) {
		p.Ban = &policy.Ban{
			After: policy.Rate{Count: 3, Interval: 10 * time.Second}, For: 2 * time.Second, Escalate: []uint32{1, 30}, Proof: proof,
			IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 1024,
		}
		for _, c := range change {
			c(p.Ban)
		}
	}
}
