package packettest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// strangers are firewalls of other tools, each as its tool lays it out, that let one client in and nobody else. Ours
// must never open what they close: a challenge is an answer in the service's name, and what a synproxy opens comes from
// loopback, which they all let pass.
var strangers = map[string]string{
	"firewalld": `table inet firewalld {
		chain filter_INPUT {
			type filter hook input priority filter + 10; policy accept;
			ct state { established, related } accept
			ct status dnat accept
			iifname "lo" accept
			ct state invalid drop
			ip saddr 10.64.1.1 tcp dport 443 ct state { new, untracked } accept
			ip6 saddr 2001:db8:64:1::1 tcp dport 443 ct state { new, untracked } accept
			meta l4proto ipv6-icmp accept
			reject with icmpx admin-prohibited
		}
		chain mangle_PREROUTING {
			type filter hook prerouting priority mangle + 10; policy accept;
			meta nfproto ipv6 fib saddr . mark . iif oif missing drop
		}
	}`,
	"ufw": `table inet ufw {
		chain input {
			type filter hook input priority filter; policy drop;
			iifname "lo" accept
			ct state related,established accept
			ct state invalid drop
			meta l4proto ipv6-icmp accept
			ip saddr 10.64.1.1 tcp dport 443 accept
			ip6 saddr 2001:db8:64:1::1 tcp dport 443 accept
		}
	}`,
}

func TestStrangersFirewallKeepsItsWordUnderAChallenge(t *testing.T) {
	for name, rules := range strangers {
		for _, protect := range []policy.Protect{policy.ProtectAuto, policy.ProtectSynproxy} {
			t.Run(name+" "+string(protect), func(t *testing.T) {
				inFamilies(t, func(t *testing.T, f family, g *guard) {
					nettest.NftLoad(t, g.Server, rules)
					g.protectWith(guarded(protect, holding(2, policy.ActionReset)))
					friend, other := f.source(1, 1), f.source(2, 1)
					g.visit(friend, f.server)
					g.visit(friend, f.server)
					if got := g.refused(friend, f.server); got != reset {
						t.Errorf("a client's third connection: %s", got)
					}
					if got := g.refused(other, f.server); got == connected {
						t.Errorf("a client that the other firewall keeps out: %s", got)
					}
					nettest.Await(t, time.Second, "the server holds what was let in", func() bool { return g.server.Held() == 2 })
				})
			})
		}
	}
}

// Docker publishes a port by translating its destination in prerouting, and forwards to the container.
const docker = `table ip docker {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local tcp dport 8443 dnat to 10.2.0.2:443
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ip daddr 10.2.0.2 tcp dport 443 accept
	}
}`

func TestPublishedPortOfAContainerIsLimitedAndItsBansHold(t *testing.T) {
	nettest.Need(t)
	nettest.NeedProgram(t, "nft")
	g, f := guardRouted(t), families[0]
	nettest.NftLoad(t, g.Router, docker)
	g.protectWith(guarded(policy.ProtectAuto, holding(4, policy.ActionReset), banning(policy.ProofHandshake), forwarded))
	published := netip.MustParseAddr("10.1.0.1")
	dial := func(from netip.Addr) nettest.Outcome { return g.dialPort(from, published, 8443) }
	// What is translated cannot be challenged, since the guard sees its destination only afterwards.
	for range 4 {
		if got := dial(f.source(1, 1)); got != connected {
			t.Fatalf("a connection to the published port: %s", got)
		}
	}
	if got := dial(f.source(1, 1)); got != reset {
		t.Errorf("a fifth connection to the published port: %s", got)
	}
	if got := dial(f.source(2, 1)); got != connected {
		t.Errorf("another client: %s", got)
	}
	for range 20 {
		dial(f.source(1, 1))
	}
	if n := g.counter("policy.web.ban.added"); n != 0 {
		t.Errorf("%d bans that nothing proves", n)
	}
	// Straight to the container the same client can prove itself, offend and be banned, and then both ways are shut.
	g.visit(f.source(3, 1), f.server)
	for range 3 {
		g.visit(f.source(3, 1), f.server)
	}
	g.offend(f.source(3, 1), f.server)
	if got := dial(f.source(3, 1)); got != dropped {
		t.Errorf("a banned client at the published port: %s", got)
	}
	if refused := g.counter("policy.web.ban"); refused == 0 {
		t.Error("the ban dropped nothing")
	}
}
