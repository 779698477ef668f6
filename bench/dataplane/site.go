package main

import (
	"net"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"

	"github.com/tcpguard/tcpguard/internal/drill/traffic"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// site is a defended host and everybody outside it, each in a network namespace.
type site struct {
	*nettest.Topology
	b               *bench
	defence         *defence
	near, far       int              // interface index of the client's end and of the host's
	client, host    net.HardwareAddr // of the two ends
	inside, outside seat
	programs        map[flood]*ebpf.Program
	frames          map[flood][]byte
}

// newSite makes the two namespaces and sets the defence up.
func (b *bench) newSite(d *defence) *site {
	s := &site{Topology: nettest.Pair(b), b: b, defence: d, programs: map[flood]*ebpf.Program{}, frames: map[flood][]byte{}}
	s.near, s.client = s.end(s.Client)
	s.far, s.host = s.end(s.Server)
	s.inside, s.outside = b.sit(s.Server), b.sit(s.Client)
	s.swallow()
	s.attach(b.load("pass", ebpf.XDP, asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()}))
	d.setUp(s)
	return s
}

// The servers behind a defence: one that never limits, and one with as many workers as a small web server has.
var (
	ideal   = traffic.ServerModel{Places: 1 << 16, PerSec: 10_000_000, Backlog: 4096}
	workers = traffic.ServerModel{Places: 256, PerSec: 1000, Backlog: 4096}
)

// serve starts a server and gives what stops it.
func (s *site) serve(m traffic.ServerModel) (stop func()) {
	server, err := traffic.Serve(s.inside, []uint16{s.defence.port}, m, netip.Prefix{})
	s.b.check("start a server", err)
	return server.Close
}

func (s *site) end(ns *nettest.NS) (index int, address net.HardwareAddr) {
	ns.Do(s.b, func() {
		eth0, err := netlink.LinkByName("eth0")
		s.b.check("find eth0", err)
		index, address = eth0.Attrs().Index, eth0.Attrs().HardwareAddr
	})
	return index, address
}

// attach puts an XDP program in front of the host. Every host has one: without, veth has no receive queue that frames
// could be redirected into (veth_enable_xdp in drivers/net/veth.c).
func (s *site) attach(program *ebpf.Program) {
	s.Server.Do(s.b, func() {
		eth0, err := netlink.LinkByName("eth0")
		s.b.check("find eth0", err)
		s.b.check("attach XDP program", netlink.LinkSetXdpFdWithFlags(eth0, program.FD(), nl.XDP_FLAGS_DRV_MODE))
	})
}

// swallow drops what the host answers to spoofed addresses as soon as it is outside, where its cost is not the host's.
func (s *site) swallow() {
	// __sk_buff.data and .data_end, TCX_NEXT and TCX_DROP.
	program := s.b.load("swallow", ebpf.SchedCLS, swallowCode(76, 80, -1, 2))
	s.Client.Do(s.b, func() {
		l, err := link.AttachTCX(link.TCXOptions{Interface: s.near, Program: program, Attach: ebpf.AttachTCXIngress})
		s.b.check("attach program at the client", err)
		s.b.Cleanup(func() { l.Close() })
	})
}

// swallowInDriver does the same where the host answers by XDP_TX, which needs an XDP program at the other end too.
func (s *site) swallowInDriver() {
	program := s.b.load("swallow", ebpf.XDP, swallowCode(0, 4, xdpPass, xdpDrop))
	s.Client.Do(s.b, func() {
		eth0, err := netlink.LinkByName("eth0")
		s.b.check("find eth0", err)
		s.b.check("attach XDP program at the client", netlink.LinkSetXdpFdWithFlags(eth0, program.FD(), nl.XDP_FLAGS_DRV_MODE))
	})
}

// swallowCode decides by the destination: nettest's Spoofed4 is 10.128.0.0/9, its Spoofed6 2001:db8:128::/48.
func swallowCode(data, end int16, next, drop int32) asm.Instructions {
	const first = ethernetLength
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, data, asm.Word),
		asm.LoadMem(asm.R3, asm.R1, end, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, first+40),
		asm.JGT.Reg(asm.R4, asm.R3, "next"),
		asm.LoadMem(asm.R4, asm.R2, 12, asm.Half),
		asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.JEq.Imm(asm.R4, 0x86dd, "ipv6"),
		asm.LoadMem(asm.R4, asm.R2, first+16, asm.Half),
		asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.And.Imm(asm.R4, 0xff80),
		asm.JEq.Imm(asm.R4, 0x0a80, "drop"),
		asm.Mov.Imm(asm.R0, next).WithSymbol("next"),
		asm.Return(),
		asm.LoadMem(asm.R4, asm.R2, first+24+4, asm.Half).WithSymbol("ipv6"),
		asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.JNE.Imm(asm.R4, 0x128, "next"),
		asm.Mov.Imm(asm.R0, drop).WithSymbol("drop"),
		asm.Return(),
	}
}

// target is the service's address in the flood's family.
func (s *site) target(f flood) netip.AddrPort {
	if f.first.Is6() {
		return netip.AddrPortFrom(nettest.Server6, s.defence.port)
	}
	return netip.AddrPortFrom(nettest.Server4, s.defence.port)
}

func (s *site) flood(f flood) (*ebpf.Program, []byte) {
	if s.programs[f] == nil {
		s.frames[f] = f.frame(s.target(f), s.host, s.client)
		s.programs[f] = s.b.load("flood", ebpf.XDP, f.program(s.frames[f], s.near))
	}
	return s.programs[f], s.frames[f]
}

// cost floods the host: for a CPU time of warm, so that it is in the state that a flood leads to, and then for window,
// and gives the CPU nanoseconds of a packet received in that.
func (s *site) cost(f flood, warm, window time.Duration) float64 {
	program, frame := s.flood(f)
	result := make(chan float64)
	failed := make(chan error)
	go func() {
		lockForever() // pinned to a processor, so the thread dies with this goroutine
		meter, err := pin()
		if err == nil {
			err = enter(s.Client)
		}
		if err != nil {
			failed <- err
			return
		}
		run := func(n int) (perPacket float64, err error) {
			before, arrived := meter.read(), s.received()
			err = send(program, frame, n)
			return float64((meter.read() - before).Nanoseconds()) / float64(max(1, s.received()-arrived)), err
		}
		ns, err := run(probe)
		// One call for all: the kernel waits for a grace period at the end of each (page_pool_destroy).
		if more := packetsIn(warm, ns) - probe; err == nil && more > 0 {
			ns, err = run(more)
		}
		if err == nil {
			ns, err = run(packetsIn(window, ns))
		}
		if err == nil {
			result <- ns
			return
		}
		failed <- err
	}()
	select {
	case ns := <-result:
		s.b.check("interrupted", nil)
		return ns
	case err := <-failed:
		s.b.check("flood", err)
		return 0
	}
}

// probe is how many packets show roughly what one costs.
const probe = 4096

func packetsIn(span time.Duration, nanoseconds float64) int {
	return max(probe, int(float64(span.Nanoseconds())/nanoseconds))
}

// received is how many packets came out of the host's interface.
func (s *site) received() (packets uint64) {
	_ = s.inside.Do(func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err == nil {
			packets = eth0.Attrs().Statistics.RxPackets
		}
		return err
	})
	return packets
}

// forget makes the host's conntrack table empty and sets the defence up anew, so that one attack does not meet what
// another left behind.
func (s *site) forget() {
	s.defence.setUp(s)
	s.Server.Do(s.b, func() {
		s.b.check("empty the conntrack table", netlink.ConntrackTableFlush(netlink.ConntrackTable))
	})
}
