package packettest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

func TestOneSourceFarAboveTheRateIsDroppedBeforeConntrackAndReleased(t *testing.T) {
	inPaths(t, func(t *testing.T, f family, g *guard, path policy.Path) {
		g.protectWith(guarded(policy.ProtectAuto, holding(20, policy.ActionReset), threshold(1000), func(p *policy.Policy) {
			p.Path, p.SYNFlood.Rate = path, perSecond(1600)
		}))
		hot, other := f.spoof(1, 1), f.source(2, 1)
		flood := g.spoofSYNs(f.server, 15_000, func(int) netip.Addr { return hot })
		nettest.Await(t, 5*time.Second, "the source is hot", func() bool { return g.counter("policy.web.syn_flood.hot") > 1000 })
		came, failed := g.crowd(f.server, 300*time.Millisecond, func(int) netip.Addr { return other })
		g.served("others", came, failed)
		flood.Stop()
		// 1 s in the hot set, and then it is challenged like everybody who exceeded a limit.
		at, before := time.Now(), g.counter("policy.web.syn_flood.challenged")
		sender := nettest.NewSender(t, g.Client)
		nettest.Await(t, 3*time.Second, "the source is released", func() bool {
			sender.SYN(t, netip.AddrPortFrom(hot, uint16(30000+rand.N(1000))), netip.AddrPortFrom(f.server, port))
			return g.counter("policy.web.syn_flood.challenged") > before
		})
		if took := time.Since(at); took > 2*time.Second {
			t.Errorf("released after %v", took)
		}
	})
}

// ECN setup and the like: flags of no concern to a firewall, in a SYN all the same.
func TestOddSYNsAreSYNsAndOddPacketsAreNot(t *testing.T) {
	const ece, cwr, urg = nettest.Flags(0x40), nettest.Flags(0x80), nettest.Flags(0x20)
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.protectWith(guarded(policy.ProtectSynproxy, holding(2, policy.ActionReset)))
		sender := nettest.NewSender(t, g.Client)
		capture := nettest.NewCapture(t, nettest.End{NS: g.Client, Iface: "eth0"})
		to := netip.AddrPortFrom(f.server, port)
		syns := []nettest.Flags{nettest.SYN, nettest.SYN | ece | cwr, nettest.SYN | ece, nettest.SYN | nettest.PSH, nettest.SYN | urg}
		for i, flags := range syns {
			sender.Send(t, f.server, nettest.Segment(netip.AddrPortFrom(f.spoof(1, 1), uint16(2000+i)), to, flags, 1, 0))
		}
		others := []nettest.Flags{
			nettest.ACK, nettest.RST, nettest.RST | nettest.ACK, nettest.FIN, nettest.FIN | nettest.ACK, nettest.SYN | nettest.ACK,
			nettest.SYN | nettest.FIN, nettest.SYN | nettest.RST, nettest.FIN | nettest.PSH | urg, 0,
		}
		for i, flags := range others {
			sender.Send(t, f.server, nettest.Segment(netip.AddrPortFrom(f.spoof(1, 1), uint16(3000+i)), to, flags, 1, 1))
		}
		g.counts(map[string]uint64{"policy.web.syn_flood.challenged": uint64(len(syns))})
		answered := map[uint16]bool{}
		nettest.Await(t, time.Second, "every SYN was answered", func() bool {
			for _, seen := range capture.Seen() {
				if seen.From.Port() == port {
					answered[seen.To.Port()] = true
				}
			}
			// Over IPv6 the kernel's synproxy is silent on a SYN without any TCP option, as these are.
			return len(answered) >= len(syns) || f.server.Is6()
		})
		for answer := range answered {
			if answer >= 3000 {
				t.Errorf("%02x was answered", others[answer-3000])
			}
		}
		if n := g.tracked(); n != 0 {
			t.Errorf("%d entries in conntrack", n)
		}
		if n := g.server.Accepted(); n != 0 {
			t.Errorf("the service saw %d connections", n)
		}
	})
}

// greet answers every connection with a line before the client says a word, as SMTP and SSH do.
func (g *guard) greet(p uint16) {
	g.t.Helper()
	var listener net.Listener
	g.Server.Do(g.t, func() {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", nettest.Port(p).String()); err != nil {
			g.t.Fatal(err)
		}
	})
	g.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, "220 hello")
			conn.Close()
		}
	}()
}

func TestServerThatSpeaksFirstIsHeardAtOnceThroughTheProxy(t *testing.T) {
	inPaths(t, func(t *testing.T, f family, g *guard, path policy.Path) {
		const smtp = 25
		g.greet(smtp)
		g.protectWith(guarded(policy.ProtectSynproxy, holding(20, policy.ActionReset), func(p *policy.Policy) {
			p.Path, p.Ports = path, []policy.PortRange{{First: smtp, Last: smtp}}
		}))
		for range 10 {
			began := time.Now()
			conn, err := nettest.Visit(t, g.Client, f.source(1, 1), netip.AddrPortFrom(f.server, smtp), patience)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			line := make([]byte, 16)
			if n, err := conn.Read(line); err != nil || string(line[:n]) != "220 hello\n" {
				t.Fatalf("read %q, %v", line[:n], err)
			}
			if took := time.Since(began); took > 500*time.Millisecond {
				t.Errorf("the greeting took %v", took)
			}
			conn.Close()
		}
	})
}

func TestMonitorModeCountsAndDoesNothing(t *testing.T) {
	inPaths(t, func(t *testing.T, f family, g *guard, path policy.Path) {
		g.protectWith(guarded(policy.ProtectAuto, holding(2, policy.ActionReset), banning(policy.ProofHandshake), threshold(5),
			func(p *policy.Policy) { p.Path, p.Mode = path, policy.ModeMonitor }))
		conns := g.hold(f.server, repeat(f.source(1, 1), 8)...)
		for _, c := range conns {
			if n := nettest.Retransmissions(t, c); n != 0 {
				t.Errorf("%d retransmissions", n)
			}
		}
		now := nettest.Counters(t, g.Guarded())
		if now["policy.web.connection_limit"]+now["policy.web.ban.added"] != 6 || now["policy.web.ban.added"] == 0 || now["policy.web.syn_flood.challenged"] != 0 {
			t.Errorf("counters %v", now)
		}
	})
}
