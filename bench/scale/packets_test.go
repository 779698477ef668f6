package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// quiet is a bench in a test: what fails ends the test.
func quiet(t *testing.T) *bench {
	t.Helper()
	nettest.Need(t)
	b := &bench{rounds: 1, started: time.Now(), folder: t.TempDir()}
	t.Cleanup(b.cleanup)
	return b
}

// TestInjectedPacketsAreWhole sends varied SYNs to a listening socket: it answers only those whose checksums are right.
func TestInjectedPacketsAreWhole(t *testing.T) {
	b := quiet(t)
	host := b.newTarget(0)
	if _, err := host.Exec(b, "nft", "delete", "table", "inet", "sink"); err != nil {
		t.Fatal(err)
	}
	host.SetSysctl(b, "net/ipv4/tcp_syncookies", "2")
	capture := nettest.NewCapture(t, nettest.End{NS: host.client, Iface: "eth0"})
	program := b.loadXDP(varyProgram(16, 1, firstPort))
	const sent = 64
	host.Do(b, func() {
		if _, err := inject(program, host.syn, host.index, sent); err != nil {
			t.Fatal(err)
		}
	})
	answered := func() int { return capture.Count(firstPort, nettest.SYN|nettest.ACK) }
	nettest.Await(t, time.Second, "every SYN is answered", func() bool { return answered() == sent })
	sources, ports := map[netip.Addr]bool{}, map[uint16]bool{}
	for _, s := range capture.Seen() {
		sources[s.To.Addr()] = true
		ports[s.To.Port()] = true
	}
	if len(sources) < 8 || len(sources) > 16 || len(ports) < sent/2 {
		t.Fatalf("%d sources and %d ports among %d SYNs", len(sources), len(ports), sent)
	}
}

// TestEveryTrafficReachesTheSink makes sure that a round measures the packets it claims to.
func TestEveryTrafficReachesTheSink(t *testing.T) {
	b := quiet(t)
	host := b.newTarget(0)
	for _, kind := range b.traffics() {
		before := arrivals([]*target{host})
		if ns := host.send(kind); ns <= 0 {
			t.Errorf("%s: %v ns a packet", kind.name, ns)
		}
		if n := arrivals([]*target{host})[0] - before[0]; n < packetsPerRound {
			t.Errorf("%s: %d packets arrived, want at least %d", kind.name, n, packetsPerRound)
		}
	}
}
