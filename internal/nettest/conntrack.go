package nettest

import (
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Tracked counts the TCP connections to a port that the namespace's conntrack knows and that live: those that are
// closing or in TIME_WAIT are not counted, and neither does `ct count` (already_closed in net/netfilter/nf_conncount.c).
func Tracked(t T, ns *NS, port uint16) int {
	t.Helper()
	live := 0
	ns.Do(t, func() {
		for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
			flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
			if err != nil {
				t.Fatalf("list conntrack: %v", err)
			}
			for _, flow := range flows {
				if flow.Forward.Protocol == unix.IPPROTO_TCP && flow.Forward.DstPort == port && !closed(flow) {
					live++
				}
			}
		}
	})
	return live
}

func closed(flow *netlink.ConntrackFlow) bool {
	info, ok := flow.ProtoInfo.(*netlink.ProtoInfoTCP)
	if !ok {
		return false
	}
	return info.State == nl.TCP_CONNTRACK_TIME_WAIT || info.State == nl.TCP_CONNTRACK_CLOSE
}

// Close closes connections and waits until conntrack in the guarded namespace counts only `left` live ones to the
// port, so that a place that a limit had given away is free again.
func Close(t T, guarded *NS, port uint16, left int, conns ...net.Conn) {
	t.Helper()
	for _, conn := range conns {
		conn.Close()
	}
	last := 0
	if !poll(5*time.Second, func() bool { last = Tracked(t, guarded, port); return last == left }) {
		t.Fatalf("conntrack knows %d live connections to port %d, want %d", last, port, left)
	}
}

// SourceIn gives the i-th address of a prefix, counting from 0, for tests that need many sources: SourceIn(Sources4, 7)
// is 10.64.0.7.
func SourceIn(prefix netip.Prefix, i uint32) netip.Addr {
	bytes := prefix.Masked().Addr().AsSlice()
	for at := len(bytes) - 1; i > 0; at-- {
		sum := uint32(bytes[at]) + i&0xff
		bytes[at] = byte(sum)
		i = i>>8 + sum>>8
	}
	address, _ := netip.AddrFromSlice(bytes)
	return address
}
