package packettest

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
	"golang.org/x/sys/unix"
)

// nflog listens to a netlink group of the guarded namespace (include/uapi/linux/netfilter/nfnetlink_log.h).
func (g *guard) nflog(group uint16) *netlink.Conn {
	g.t.Helper()
	const config, command, mode, bind, copyPacket = 1, 1, 2, 1, 2
	var conn *netlink.Conn
	g.Guarded().Do(g.t, func() {
		var err error
		if conn, err = netlink.Dial(unix.NETLINK_NETFILTER, nil); err != nil {
			g.t.Fatal(err)
		}
	})
	g.t.Cleanup(func() { conn.Close() })
	header := []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0}
	binary.BigEndian.PutUint16(header[2:], group)
	for _, attribute := range []netlink.Attribute{
		{Type: command, Data: []byte{bind}},
		{Type: mode, Data: []byte{0, 0, 0, 128, copyPacket, 0}},
	} {
		attributes, err := netlink.MarshalAttributes([]netlink.Attribute{attribute})
		if err != nil {
			g.t.Fatal(err)
		}
		request := netlink.Message{
			Header: netlink.Header{Type: unix.NFNL_SUBSYS_ULOG<<8 | config, Flags: netlink.Request | netlink.Acknowledge},
			Data:   append(append([]byte{}, header...), attributes...),
		}
		if _, err := conn.Execute(request); err != nil {
			g.t.Fatalf("configure nflog group %d: %v", group, err)
		}
	}
	return conn
}

// prefixes gives the prefixes of the packets that are reported until nothing comes for a while.
func logged(t *testing.T, conn *netlink.Conn, quiet time.Duration) (prefixes []string) {
	t.Helper()
	const prefix = 10
	for {
		if err := conn.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			t.Fatal(err)
		}
		messages, err := conn.Receive()
		if err != nil {
			return prefixes
		}
		for _, m := range messages {
			attributes, err := netlink.UnmarshalAttributes(m.Data[4:])
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range attributes {
				if a.Type == prefix {
					prefixes = append(prefixes, strings.TrimRight(string(a.Data), "\x00"))
				}
			}
		}
	}
}

func TestRefusalsAreSampledIntoTheLogUnderTheirAddress(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		const group, burst, refusals = 7, 3, 40
		g.protectWith(guarded(policy.ProtectCookies, holding(2, policy.ActionDrop), func(p *policy.Policy) {
			p.Log = &policy.Log{Rate: policy.Rate{Count: burst, Interval: time.Hour}, Burst: burst, Target: policy.LogNflog, Group: group}
		}))
		conn := g.nflog(group)
		nettest.NewSender(t, g.Client).SYNs(t, f.spoof(1, 1), netip.AddrPortFrom(f.server, port), 2+refusals)
		g.counts(map[string]uint64{"policy.web.connection_limit": refusals})
		lines := logged(t, conn, 1500*time.Millisecond) // nflog hands over what it holds after a second
		if len(lines) != burst {
			t.Errorf("%d packets were reported, want %d", len(lines), burst)
		}
		for _, line := range lines {
			if line != "policy.web.connection_limit: " {
				t.Errorf("prefix %q", line)
			}
		}
	})
}

func TestKernelLogIsAcceptedAsATarget(t *testing.T) {
	inFamilies(t, func(t *testing.T, f family, g *guard) {
		g.protectWith(guarded(policy.ProtectAuto, holding(1, policy.ActionReset), func(p *policy.Policy) {
			p.Log = &policy.Log{Rate: policy.Rate{Count: 5, Interval: time.Minute}, Burst: 5, Target: policy.LogKernel}
		}))
		g.visit(f.source(1, 1), f.server)
		if got := g.refused(f.source(1, 1), f.server); got == connected {
			t.Errorf("the second connection: %s", got)
		}
	})
}
