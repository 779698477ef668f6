package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpguard/tcpguard/bench/report"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
)

// Rounds are short and many, because a shared machine's speed changes within a second.
const packetsPerRound, roundsPerRound = 50_000, 5

// packets measures what a packet costs on its way through the input hook, with one policy and with a thousand.
func packets(b *bench) []*report.Table {
	t := &report.Table{
		Title:  "CPU time of one received packet, by number of policies",
		Header: []string{"traffic", "no rules", "1 policy", "1000 policies", "1000 to 1"},
		Note: fmt.Sprintf("From the interface through IP, conntrack and tcpguard's table to a rule that drops everything behind it; %d packets a round, %d rounds. "+
			"\"No rules\" has that last rule alone, and so no conntrack. Both hosts guard the same 1000 ports; in the last row the thousand policies "+
			"track 256 sources each, the one policy 256 in all.", packetsPerRound, b.rounds*roundsPerRound),
	}
	b.scope(func() {
		sites := []*target{b.newTarget(0), b.newTarget(1), b.newTarget(1000)}
		for _, traffic := range b.traffics() {
			b.step("packets: %s", traffic.name)
			cost := make([][]float64, len(sites))
			before := arrivals(sites)
			rounds := b.rounds*roundsPerRound + 1
			for round := range rounds {
				for i := range sites {
					// Who comes first changes from round to round.
					at := (i + round) % len(sites)
					ns := sites[at].send(traffic)
					// Round 0 warms caches and fills the meters.
					if round > 0 {
						cost[at] = append(cost[at], ns)
					}
				}
			}
			for i, after := range arrivals(sites) {
				sites[i].check(traffic, after-before[i], uint64(rounds)*packetsPerRound)
			}
			t.Add(traffic.name, nanoseconds(report.Median(cost[0])), nanoseconds(report.Median(cost[1])), nanoseconds(report.Median(cost[2])),
				report.Times(report.Median(report.Ratios(cost[2], cost[1]))))
		}
	})
	b.settle()
	return []*report.Table{t}
}

func nanoseconds(n float64) string { return fmt.Sprintf("%.0f ns", n) }

// manyPorts is how many ports each guarded host guards, however many policies share them.
const manyPorts = 1000

// traffic is a kind of packets.
type traffic struct {
	name        string
	program     int
	established bool
}

func (b *bench) traffics() []traffic {
	const spread = 1024
	return []traffic{
		{"established connection", b.loadXDP(passProgram()), true},
		{"SYN to a port without a policy", b.loadXDP(varyProgram(spread, 1, firstPort-1)), false},
		{"SYN to one port, 1024 sources", b.loadXDP(varyProgram(spread, 1, firstPort)), false},
		{"SYN to one port, one source over its limit", b.loadXDP(varyProgram(1, 1, firstPort)), false},
		{"SYN to all 1000 ports, 256 sources", b.loadXDP(varyProgram(256, manyPorts, firstPort)), false},
	}
}

// target is a guarded host that packets are injected into.
type target struct {
	*site
	client   *nettest.NS
	policies int
	index    int    // of eth0
	syn, ack []byte // frames
}

// sink ends every packet's way after tcpguard's table, so that TCP itself is not measured.
const sink = `table inet sink {
	counter arrived { }
	chain input {
		type filter hook input priority 100;
		iif "eth0" counter name arrived drop
	}
}
`

func (b *bench) newTarget(policies int) *target {
	b.step("a host with %d policies", policies)
	pair := nettest.Pair(b)
	t := &target{policies: policies, client: pair.Client}
	t.site = b.newSite(b.policyFolder(manyPolicies(policies, manyPorts)))
	t.NS = pair.Server
	guarded, client := nettest.End{NS: pair.Server, Iface: "eth0"}, nettest.End{NS: pair.Client, Iface: "eth0"}
	t.index = guarded.Index(b)
	t.acceptInjected()
	server := nettest.Listen(b, t.NS, nettest.Port(firstPort))
	if policies > 0 {
		t.apply()
		// The frames of an established connection all carry the same sequence number.
		t.SetSysctl(b, "net/netfilter/nf_conntrack_tcp_be_liberal", "1")
	}
	to := netip.AddrPortFrom(nettest.Server4, firstPort)
	conn := nettest.Hold(b, pair.Client, nettest.Client4, to, 1)[0]
	server.AwaitHeld(b, 1)
	nettest.NftLoad(b, t.NS, sink)

	ethernet := append(append([]byte(nil), guarded.HardwareAddr(b)...), client.HardwareAddr(b)...)
	ethernet = append(ethernet, 0x08, 0x00)
	t.ack = append(ethernet, nettest.Segment(netip.MustParseAddrPort(conn.LocalAddr().String()), to, nettest.ACK, 1, 1)...)
	t.syn = append(append([]byte(nil), ethernet...), variable(to)...)
	return t
}

// variable is the SYN that varyProgram writes into: where that will write a value and its complement there are zero and
// its complement now, and the checksums are those of that.
func variable(to netip.AddrPort) []byte {
	base := nettest.Spoofed4.Addr().As4()
	from := netip.AddrFrom4([4]byte{base[0], base[1], 0, 0})
	packet := nettest.Segment(netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to.Addr(), 0), nettest.SYN, 0, 0)
	const ethernet = 14
	put := func(at int, v uint16) { binary.BigEndian.PutUint16(packet[at-ethernet:], v) }
	put(atID, 0xffff)
	put(atUrgent, 0xffff)
	put(atSequence+2, 0xffff)
	// Segment's window is already 0xffff, and all ones are another zero: the checksums it computed hold.
	return packet
}

// acceptInjected attaches an XDP program to the interface, without which veth has no receive queue that frames could
// be injected into (veth_enable_xdp in drivers/net/veth.c).
func (t *target) acceptInjected() {
	program := t.b.loadXDP(passProgram())
	t.Do(t.b, func() {
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			err = netlink.LinkSetXdpFdWithFlags(link, program, nl.XDP_FLAGS_DRV_MODE)
		}
		if err != nil {
			t.b.Fatalf("attach XDP program: %v", err)
		}
	})
}

// send injects a round of packets and gives nanoseconds a packet.
func (t *target) send(kind traffic) float64 {
	frame := t.syn
	if kind.established {
		frame = t.ack
	}
	var took time.Duration
	t.Do(t.b, func() {
		var err error
		if took, err = inject(kind.program, frame, t.index, packetsPerRound); err != nil {
			t.b.Fatalf("%v", err)
		}
	})
	return float64(took.Nanoseconds()) / packetsPerRound
}

// check makes sure that packets went where they should: all of them to the sink, unless a limit may refuse some. The
// interface has a little traffic of its own, such as neighbour discovery.
func (t *target) check(kind traffic, arrived, sent uint64) {
	if arrived > sent+sent/1000 || arrived < sent && (kind.established || t.policies == 0) {
		t.b.Fatalf("%s: %d of %d packets passed %d policies", kind.name, arrived, sent, t.policies)
	}
}

// arrivals counts the packets that came to each sink.
func arrivals(sites []*target) []uint64 {
	counts := make([]uint64, len(sites))
	for i, t := range sites {
		counts[i] = nettest.Counters(t.b, t.NS, "sink")["arrived"]
	}
	return counts
}
