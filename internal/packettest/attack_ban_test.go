package packettest

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// knocks opens connections that complete a handshake and closes each at once; how many of them the service saw is not
// asked.
func (g *guard) knocks(from, to netip.Addr, n int) {
	g.t.Helper()
	for range n {
		if conn, outcome := nettest.Dial(g.t, g.Client, from, netip.AddrPortFrom(to, port), nettest.SYNTimeout); outcome == connected {
			conn.Close()
		}
	}
}

// banned says whether nft lists the source in the set of bans, and with which timeout.
func (g *guard) banned(from netip.Addr) (timeout string, is bool) {
	g.t.Helper()
	set, element := "policy.web.ban.v4", from.String()
	if from.Is6() {
		prefix, _ := from.Prefix(64)
		set, element = "policy.web.ban.v6", prefix.Addr().String()
	}
	out, err := g.Guarded().Exec(g.t, "nft", "list", "set", "inet", "tcpguard", set)
	if err != nil {
		g.t.Fatal(err)
	}
	_, after, is := strings.Cut(out, element+" timeout ")
	timeout, _, _ = strings.Cut(after, " ")
	return timeout, is
}

// offend has a source that holds all it may go on opening connections until it is banned.
func (g *guard) offend(from, to netip.Addr) {
	g.t.Helper()
	began := time.Now()
	nettest.Await(g.t, 10*time.Second, from.String()+" is banned", func() bool {
		g.knocks(from, to, 1)
		_, is := g.banned(from)
		return is
	})
	if took := time.Since(began); took > 2*time.Second {
		g.t.Errorf("banned only %v after the first violation", took)
	}
}

func TestProvenOffenderIsBannedForLongerEachTimeAndFreeInBetween(t *testing.T) {
	inPaths(t, func(t *testing.T, f family, g *guard, path policy.Path) {
		g.protectWith(guarded(policy.ProtectAuto, holding(2, policy.ActionDrop), banning(policy.ProofHandshake), func(p *policy.Policy) { p.Path = path }))
		client, other := f.source(1, 1), f.source(2, 1)
		first, second := g.visit(client, f.server), g.visit(client, f.server)
		if added := g.counter("policy.web.ban.added"); added != 0 {
			t.Fatalf("%d bans for connections within the limit", added)
		}
		g.offend(client, f.server)
		if timeout, _ := g.banned(client); timeout != "2s" {
			t.Errorf("the first ban lasts %s, want 2s", timeout)
		}
		before, entries := g.counter("policy.web.ban"), g.tracked()
		g.expect(client, f.server, dropped)
		if now := g.counter("policy.web.ban"); now <= before {
			t.Errorf("the ban has dropped %d packets before and %d after the SYN", before, now)
		}
		if now := g.tracked(); now > entries {
			t.Errorf("conntrack has grown from %d to %d entries by a banned SYN", entries, now)
		}
		g.expect(other, f.server, connected)

		nettest.Await(t, 4*time.Second, "the ban is over", func() bool { _, is := g.banned(client); return !is })
		nettest.Close(t, g.Guarded(), port, 1, first, second)
		g.visit(client, f.server)
		g.visit(client, f.server)
		g.offend(client, f.server)
		if timeout, _ := g.banned(client); timeout != "1m" {
			t.Errorf("the second ban lasts %s, want 1m", timeout)
		}
	})
}

func TestForgedViolationsBanOnlyWhereNoProofIsAsked(t *testing.T) {
	for _, c := range []struct {
		proof   policy.Proof
		protect policy.Protect
		banned  bool
	}{
		{policy.ProofHandshake, policy.ProtectAuto, false},
		{policy.ProofHandshake, policy.ProtectSynproxy, false},
		{policy.ProofHandshake, policy.ProtectCookies, false},
		{policy.ProofNone, policy.ProtectCookies, true},
	} {
		t.Run(string(c.proof)+" "+string(c.protect), func(t *testing.T) {
			inFamilies(t, func(t *testing.T, f family, g *guard) {
				g.protectWith(guarded(c.protect, holding(2, policy.ActionDrop), banning(c.proof)))
				const sent = 30
				nettest.NewSender(t, g.Client).SYNs(t, f.spoof(1, 1), netip.AddrPortFrom(f.server, port), sent)
				nettest.Await(t, time.Second, "every SYN was judged", func() bool {
					now := nettest.Counters(t, g.Guarded())
					return now["policy.web.accepted"]+now["policy.web.syn_flood.challenged"]+now["policy.web.syn_flood.excess"]+
						now["policy.web.connection_limit"]+now["policy.web.ban.added"]+now["policy.web.ban"] == sent
				})
				if _, is := g.banned(f.spoof(1, 1)); is != c.banned {
					t.Errorf("banned: %t, want %t", is, c.banned)
				}
			})
		})
	}
}

func TestManagementAndAllowedSourcesAreNeverBanned(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		// All three are one source to the ban where groups are wide.
		admin, friend, offender := f.source(1, 1), f.source(1, 2), f.source(1, 3)
		var allowed addrset.Builder
		if err := allowed.AddPrefix(netip.PrefixFrom(friend, friend.BitLen())); err != nil {
			t.Fatal(err)
		}
		p := guarded(policy.ProtectAuto, holding(2, policy.ActionDrop), banning(policy.ProofHandshake, func(b *policy.Ban) {
			b.IPv4Prefix, b.For = 24, time.Minute
		}))
		p.Connection.IPv4Prefix = 24
		p.Allow = []string{"friends"}
		g.protect(&policy.Bundle{
			Management: policy.Management{Sources: []netip.Prefix{netip.PrefixFrom(admin, admin.BitLen())}},
			Lists:      []policy.List{{Name: "friends", Addresses: allowed.Build()}},
			Policies:   []policy.Policy{p},
		})
		for _, from := range []netip.Addr{admin, friend} {
			g.knocks(from, f.server, 30)
			g.hold(f.server, repeat(from, 10)...)
		}
		g.counts(map[string]uint64{"policy.web.ban.added": 0})
		g.visit(offender, f.server)
		g.visit(offender, f.server)
		for range 5 {
			g.knocks(offender, f.server, 1)
		}
		g.expect(offender, f.server, dropped)
		for _, from := range []netip.Addr{admin, friend} {
			g.expect(from, f.server, connected)
		}
	})
}

func TestBansAndConnectionsSurviveAnApplyInMidAttack(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		long := func(b *policy.Ban) { b.For = time.Minute }
		base := []func(*policy.Policy){holding(2, policy.ActionDrop), banning(policy.ProofHandshake, long)}
		g.protectWith(guarded(policy.ProtectAuto, base...))
		client, other := f.source(1, 1), f.source(2, 1)
		g.visit(client, f.server)
		g.visit(client, f.server)
		g.offend(client, f.server)
		unproven := g.visit(other, f.server)
		proven := g.visit(other, f.server)

		flood := g.spoofSYNs(f.server, 5000, func(i int) netip.Addr { return f.spoof(uint32(i%30000), 7) })
		for name, change := range map[string]func(*policy.Policy){
			"limit":      holding(3, policy.ActionReset),
			"threshold":  threshold(100),
			"rate":       opening(policy.Rate{Count: 1000, Interval: time.Minute}),
			"ban time":   banning(policy.ProofHandshake, func(b *policy.Ban) { b.For = time.Hour }),
			"ban table":  banning(policy.ProofHandshake, func(b *policy.Ban) { b.For, b.TableSize = time.Minute, 4096 }),
			"escalation": banning(policy.ProofHandshake, func(b *policy.Ban) { b.For, b.Escalate = time.Minute, []uint32{1, 2, 3} }),
			"log": func(p *policy.Policy) {
				p.Log = &policy.Log{Rate: perSecond(5), Burst: 5, Target: policy.LogNflog, Group: 5}
			},
			"synproxy": func(p *policy.Policy) { p.SYNFlood.Protect = policy.ProtectSynproxy },
		} {
			g.protectWith(guarded(policy.ProtectAuto, append(base[:len(base):len(base)], change)...))
			if _, is := g.banned(client); !is {
				t.Errorf("a changed %s forgot the ban", name)
			}
			g.expect(client, f.server, dropped)
			if err := nettest.Echo(unproven, patience); err != nil {
				t.Errorf("a changed %s cut off a connection: %v", name, err)
			}
			if err := nettest.Echo(proven, patience); err != nil {
				t.Errorf("a changed %s cut off a proven connection: %v", name, err)
			}
		}
		flood.Stop()
	})
}
