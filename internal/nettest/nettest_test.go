package nettest

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNamespaceIsLeftAndRemoved(t *testing.T) {
	Need(t)
	before, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var path string
	t.Run("inside", func(t *testing.T) {
		ns := New(t)
		path = ns.Path()
		inside := ""
		ns.Do(t, func() { inside, _ = os.Readlink("/proc/thread-self/ns/net") })
		if inside == before {
			t.Fatal("Do did not enter the namespace")
		}
		out, err := ns.Exec(t, "readlink", "/proc/self/ns/net")
		if err != nil || strings.TrimSpace(out) != inside {
			t.Fatalf("Exec ran in %q, %v; want %q", out, err, inside)
		}
	})
	after, _ := os.Readlink("/proc/thread-self/ns/net")
	if after != before {
		t.Fatalf("namespace is %s afterwards, was %s", after, before)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("%s is still there: %v", path, err)
	}
}

func TestFailureInsideDoComesBack(t *testing.T) {
	Need(t)
	before, _ := os.Readlink("/proc/thread-self/ns/net")
	ns := New(t)
	func() {
		defer func() { _ = recover() }()
		ns.Do(t, func() { panic("inside") })
	}()
	if after, _ := os.Readlink("/proc/thread-self/ns/net"); after != before {
		t.Fatalf("namespace is %s after a panic, was %s", after, before)
	}
}

func TestNamesOfDeadProcessesAreSwept(t *testing.T) {
	Need(t)
	// Process ids end at 4194304 (PID_MAX_LIMIT), so this one can belong to nobody.
	left := filepath.Join(runDir, prefix+"99999999-1")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	New(t)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Fatalf("%s is still there: %v", left, err)
	}
}

func TestSysctlBelongsToTheNamespace(t *testing.T) {
	Need(t)
	a, b := New(t), New(t)
	was := b.Sysctl(t, "net/ipv4/tcp_fin_timeout")
	a.SetSysctl(t, "net/ipv4/tcp_fin_timeout", "17")
	if got := a.Sysctl(t, "net/ipv4/tcp_fin_timeout"); got != "17" {
		t.Fatalf("read back %s, want 17", got)
	}
	if got := b.Sysctl(t, "net/ipv4/tcp_fin_timeout"); got != was {
		t.Fatalf("the other namespace has %s, had %s", got, was)
	}
}

// topologies runs a test on both topologies and both address families.
func topologies(t *testing.T, test func(t *testing.T, p *Topology, server netip.Addr, sources netip.Prefix)) {
	Need(t)
	for name, build := range map[string]func(T) *Topology{"pair": Pair, "routed": Routed} {
		t.Run(name, func(t *testing.T) {
			p := build(t)
			t.Run("ipv4", func(t *testing.T) { test(t, p, Server4, Sources4) })
			t.Run("ipv6", func(t *testing.T) { test(t, p, Server6, Sources6) })
		})
	}
}

func TestDialTellsOutcomesApart(t *testing.T) {
	NeedProgram(t, "nft")
	topologies(t, func(t *testing.T, p *Topology, address netip.Addr, sources netip.Prefix) {
		server := Listen(t, p.Server, Port(0))
		NftLoad(t, p.Guarded(), `add table inet f
			add chain inet f in { type filter hook `+hookOf(p)+` priority 0; }
			flush chain inet f in
			add rule inet f in tcp dport 81 drop`)
		open := netip.AddrPortFrom(address, server.Addr.Port())

		conn, outcome := Dial(t, p.Client, SourceIn(sources, 7), open, SYNTimeout)
		if outcome != Connected {
			t.Fatalf("open port: %s", outcome)
		}
		if err := Echo(conn, time.Second); err != nil {
			t.Fatal(err)
		}
		if from := netip.MustParseAddrPort(conn.LocalAddr().String()).Addr(); from != SourceIn(sources, 7) {
			t.Fatalf("connected from %v", from)
		}
		server.AwaitHeld(t, 1)
		conn.Close()
		server.AwaitHeld(t, 0)

		if _, outcome := Dial(t, p.Client, netip.Addr{}, netip.AddrPortFrom(address, 80), SYNTimeout); outcome != Reset {
			t.Fatalf("closed port: %s", outcome)
		}
		if _, outcome := Dial(t, p.Client, netip.Addr{}, netip.AddrPortFrom(address, 81), SYNTimeout); outcome != TimedOut {
			t.Fatalf("dropped port: %s", outcome)
		}
	})
}

func hookOf(p *Topology) string {
	if p.Router != nil {
		return "forward"
	}
	return "input"
}

func TestOneDialIsOneSYN(t *testing.T) {
	Need(t)
	p := Pair(t)
	NftLoad(t, p.Server, `table inet tcpguard { counter dropped { }
		chain in { type filter hook input priority 0; tcp dport 81 counter name dropped drop
		}
		}`)
	for _, address := range []netip.Addr{Server4, Server6} {
		Dial(t, p.Client, netip.Addr{}, netip.AddrPortFrom(address, 81), 900*time.Millisecond)
	}
	if got := Counters(t, p.Server)["dropped"]; got != 2 {
		t.Fatalf("two attempts sent %d SYNs", got)
	}
}

func TestSpoofedSYNsArriveAndAnswersAreSeen(t *testing.T) {
	NeedProgram(t, "nft")
	topologies(t, func(t *testing.T, p *Topology, address netip.Addr, _ netip.Prefix) {
		spoofed := Spoofed4
		if address.Is6() {
			spoofed = Spoofed6
		}
		server := Listen(t, p.Server, Port(0))
		NftLoad(t, p.Server, `add table inet tcpguard
			delete table inet tcpguard
			table inet tcpguard { counter syns { }
			chain in { type filter hook input priority 0; tcp flags syn / syn,ack counter name syns
			}
			}`)
		capture := NewCapture(t, End{p.Client, "eth0"})
		sender := NewSender(t, p.Client)
		open, shut := server.Addr.Port(), uint16(80)
		sender.SYNs(t, SourceIn(spoofed, 300), netip.AddrPortFrom(address, open), 10)
		sender.SYNs(t, SourceIn(spoofed, 301), netip.AddrPortFrom(address, shut), 5)
		Await(t, time.Second, "10 SYN-ACKs and 5 RSTs came back", func() bool {
			return capture.Count(open, SYN|ACK) == 10 && capture.Count(shut, RST|ACK) == 5
		})
		if got := Counters(t, p.Server)["syns"]; got != 15 {
			t.Fatalf("%d SYNs arrived, want 15", got)
		}
	})
}

func TestConntrackForgetsClosedConnections(t *testing.T) {
	NeedProgram(t, "nft")
	topologies(t, func(t *testing.T, p *Topology, address netip.Addr, sources netip.Prefix) {
		server := Listen(t, p.Server, Port(0))
		// Conntrack starts in a namespace with the first rule that asks for it.
		NftLoad(t, p.Guarded(), `table inet tcpguard { chain c { type filter hook `+hookOf(p)+` priority 0; ct state new accept
			}
			}`)
		port := server.Addr.Port()
		held := Hold(t, p.Client, SourceIn(sources, 9), netip.AddrPortFrom(address, port), 4)
		if got := Tracked(t, p.Guarded(), port); got != 4 {
			t.Fatalf("conntrack knows %d connections, want 4", got)
		}
		Close(t, p.Guarded(), port, 1, held[1:]...)
		Close(t, p.Guarded(), port, 0, held[0])
	})
}

func TestSecondLink(t *testing.T) {
	Need(t)
	p := Pair(t)
	p.SecondLink(t)
	server := Listen(t, p.Server, Port(0))
	for _, address := range []netip.Addr{Second4, Second6, ServerAlias4, ServerAlias6} {
		if _, outcome := Dial(t, p.Client, netip.Addr{}, netip.AddrPortFrom(address, server.Addr.Port()), SYNTimeout); outcome != Connected {
			t.Errorf("%v: %s", address, outcome)
		}
	}
}

func TestSourceIn(t *testing.T) {
	for _, c := range []struct {
		prefix string
		i      uint32
		want   string
	}{
		{"10.64.0.0/16", 0, "10.64.0.0"},
		{"10.64.0.0/16", 7, "10.64.0.7"},
		{"10.64.0.0/16", 258, "10.64.1.2"},
		{"10.64.0.255/16", 0x10001, "10.65.0.1"},
		{"2001:db8:64::/48", 0x12345, "2001:db8:64::1:2345"},
	} {
		if got := SourceIn(netip.MustParsePrefix(c.prefix), c.i); got.String() != c.want {
			t.Errorf("SourceIn(%s, %d) = %v, want %s", c.prefix, c.i, got, c.want)
		}
	}
}

func TestNftListIsEmptyWithoutTheTable(t *testing.T) {
	Need(t)
	ns := New(t)
	if got := NftList(t, ns, "table", "inet", "tcpguard"); got != "" {
		t.Fatalf("listed %q", got)
	}
	NftLoad(t, ns, "add table inet tcpguard")
	if got := NftList(t, ns, "table", "inet", "tcpguard"); !strings.Contains(got, "table inet tcpguard") {
		t.Fatalf("listed %q", got)
	}
}
