package nettest

import (
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// End is one end of a veth pair.
type End struct {
	NS    *NS
	Iface string
}

// Link joins two namespaces by a veth pair, brings both ends up and waits until they carry packets. MTU is veth's
// 1500.
func Link(t T, a, b End) {
	t.Helper()
	a.NS.Do(t, func() {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = a.Iface
		veth := &netlink.Veth{LinkAttrs: attrs, PeerName: b.Iface, PeerNamespace: netlink.NsFd(int(b.NS.file.Fd()))}
		if err := netlink.LinkAdd(veth); err != nil {
			t.Fatalf("join %s and %s by veth: %v", a.NS.name, b.NS.name, err)
		}
	})
	a.up(t)
	b.up(t)
	a.awaitCarrier(t)
	b.awaitCarrier(t)
}

func (e End) up(t T) {
	t.Helper()
	e.NS.Do(t, func() {
		if err := netlink.LinkSetUp(e.link(t)); err != nil {
			t.Fatalf("bring up %s: %v", e.Iface, err)
		}
	})
}

func (e End) awaitCarrier(t T) {
	t.Helper()
	e.NS.Do(t, func() {
		Await(t, 5*time.Second, e.Iface+" is up", func() bool {
			return e.link(t).Attrs().OperState == netlink.OperUp
		})
	})
}

// link must be called inside the end's namespace.
func (e End) link(t T) netlink.Link {
	t.Helper()
	link, err := netlink.LinkByName(e.Iface)
	if err != nil {
		t.Fatalf("find interface %s in %s: %v", e.Iface, e.NS.name, err)
	}
	return link
}

// AddAddress gives the end an address that is usable at once: IPv6 without duplicate address detection.
func (e End) AddAddress(t T, address netip.Prefix) {
	t.Helper()
	e.NS.Do(t, func() {
		addr := &netlink.Addr{IPNet: ipNet(address)}
		if address.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(e.link(t), addr); err != nil {
			t.Fatalf("add address %v to %s: %v", address, e.Iface, err)
		}
		// The kernel inserts an IPv6 address's local route from a work queue (addrconf_dad_completed in
		// net/ipv6/addrconf.c), also without detection; until then packets to it are not for this host.
		Await(t, 5*time.Second, address.String()+" is local", func() bool {
			routes, err := netlink.RouteGet(address.Addr().AsSlice())
			return err == nil && len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL
		})
	})
}

// AddRoute sends what goes to a prefix through the end to a gateway.
func (e End) AddRoute(t T, to netip.Prefix, via netip.Addr) {
	t.Helper()
	e.NS.Do(t, func() {
		route := &netlink.Route{LinkIndex: e.link(t).Attrs().Index, Dst: ipNet(to), Gw: via.AsSlice()}
		if err := netlink.RouteAdd(route); err != nil {
			t.Fatalf("route %v via %v: %v", to, via, err)
		}
	})
}

// AddLocal makes every address of a prefix the namespace's own, without giving any to an interface: packets to them
// are delivered here, and sockets may bind to them.
func (ns *NS) AddLocal(t T, prefix netip.Prefix) {
	t.Helper()
	ns.Do(t, func() {
		route := &netlink.Route{
			LinkIndex: End{ns, "lo"}.link(t).Attrs().Index,
			Dst:       ipNet(prefix),
			Type:      unix.RTN_LOCAL,
			Table:     unix.RT_TABLE_LOCAL,
			Scope:     unix.RT_SCOPE_HOST,
		}
		if err := netlink.RouteAdd(route); err != nil {
			t.Fatalf("make %v local: %v", prefix, err)
		}
	})
}

// know writes the hardware address of the other end down as a permanent neighbour, so that no packet of a test ever
// waits for ARP or neighbour discovery.
func (e End) know(t T, other End, addresses ...netip.Addr) {
	t.Helper()
	var hardware net.HardwareAddr
	other.NS.Do(t, func() { hardware = other.link(t).Attrs().HardwareAddr })
	e.NS.Do(t, func() {
		for _, address := range addresses {
			neighbour := &netlink.Neigh{
				LinkIndex:    e.link(t).Attrs().Index,
				State:        netlink.NUD_PERMANENT,
				IP:           address.AsSlice(),
				HardwareAddr: hardware,
			}
			if err := netlink.NeighSet(neighbour); err != nil {
				t.Fatalf("write down neighbour %v: %v", address, err)
			}
		}
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
