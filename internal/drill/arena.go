package drill

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/tcpguard/tcpguard/internal/drill/traffic"
	"github.com/tcpguard/tcpguard/policy"
)

// arena is the network of one run: everybody outside in one namespace, the guarded host in another, and where a policy
// guards what it forwards, the hosts behind it in a third.
type arena struct {
	outside, guarded *space
	behind           *space // nil unless something is forwarded
	backdoor         string // the guarded host's interface towards it
	wires            []*traffic.Wire
}

var everything4, everything6 = netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")

// build makes the network. Addresses, routes and neighbours are in place when it returns.
func build(l layout, w world, sources []netip.Addr) (a *arena, err error) {
	a = &arena{}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if a.outside, err = newSpace(); err != nil {
		return a, err
	}
	if a.guarded, err = newSpace(); err != nil {
		return a, err
	}
	for i, name := range l.links {
		if err := a.link(i, name); err != nil {
			return a, err
		}
	}
	if l.routed {
		if err := a.forward(freeName(l.links)); err != nil {
			return a, err
		}
	}
	if err := a.people(w, sources); err != nil {
		return a, err
	}
	for _, s := range l.services {
		if err := a.place(s); err != nil {
			return a, err
		}
	}
	return a, nil
}

// Close ends every namespace.
func (a *arena) Close() {
	for _, w := range a.wires {
		w.Close()
	}
	for _, s := range []*space{a.outside, a.guarded, a.behind} {
		if s != nil {
			s.Close()
		}
	}
}

// link joins outside and the guarded host by an interface that has the policy's name on the guarded side.
func (a *arena) link(i int, name string) error {
	far, near := end{a.outside, fmt.Sprintf("link%d", i)}, end{a.guarded, name}
	if err := connect(far, near, i); err != nil {
		return err
	}
	if i > 0 {
		return a.wire(far, near)
	}
	return errors.Join(
		far.route(everything4, guarded4(i)), far.route(everything6, guarded6(i)),
		near.route(everything4, outside4(i)), near.route(everything6, outside6(i)),
		a.wire(far, near))
}

// connect joins two ends, the first of which gets the addresses of the outside.
func connect(far, near end, i int) error {
	if err := join(far, near); err != nil {
		return err
	}
	return errors.Join(
		far.addAddress(netip.PrefixFrom(outside4(i), 24)), far.addAddress(netip.PrefixFrom(outside6(i), 64)),
		near.addAddress(netip.PrefixFrom(guarded4(i), 24)), near.addAddress(netip.PrefixFrom(guarded6(i), 64)),
		far.know(near, guarded4(i), guarded6(i)), near.know(far, outside4(i), outside6(i)))
}

// wire opens the attacker's way in.
func (a *arena) wire(far, near end) error {
	own, err := far.hardware()
	if err != nil {
		return err
	}
	peer, err := near.hardware()
	if err != nil {
		return err
	}
	index := 0
	if err := far.withLink(func(l netlink.Link) error { index = l.Attrs().Index; return nil }); err != nil {
		return err
	}
	w, err := traffic.OpenWire(far.in, index, own, peer)
	if err == nil {
		a.wires = append(a.wires, w)
	}
	return err
}

// forward makes the guarded host a router with a network behind it.
func (a *arena) forward(iface string) (err error) {
	if a.behind, err = newSpace(); err != nil {
		return err
	}
	a.backdoor = iface
	router, host := end{a.guarded, iface}, end{a.behind, "eth0"}
	if err := connect(router, host, behind); err != nil {
		return err
	}
	return errors.Join(
		host.route(everything4, outside4(behind)), host.route(everything6, outside6(behind)),
		a.guarded.Do(func() error {
			return errors.Join(setSysctl("net/ipv4/ip_forward", "1"), setSysctl("net/ipv6/conf/all/forwarding", "1"))
		}))
}

// freeName is a name that no policy uses for an interface.
func freeName(taken []string) string {
	for i := 0; ; i++ {
		if name := fmt.Sprintf("behind%d", i); !slices.Contains(taken, name) {
			return name
		}
	}
}

// people makes the addresses of clients and attackers local outside, so that they answer for themselves.
func (a *arena) people(w world, sources []netip.Addr) error {
	err := errors.Join(a.outside.own(w.clients4), a.outside.own(w.clients6), a.outside.own(w.attackers4))
	for _, s := range sources {
		if !w.clients4.Contains(s) && !w.clients6.Contains(s) {
			err = errors.Join(err, a.outside.own(netip.PrefixFrom(s, s.BitLen())))
		}
	}
	return err
}

// place gives a service its addresses, and everybody the way to them.
func (a *arena) place(s service) error {
	for _, address := range []netip.Addr{s.v4, s.v6} {
		if !address.IsValid() {
			continue
		}
		single := netip.PrefixFrom(address, address.BitLen())
		host, gateway, next := a.guarded, guarded4(s.link), guarded4(behind)
		if address.Is6() {
			gateway, next = guarded6(s.link), guarded6(behind)
		}
		var err error
		if s.policy.Path == policy.PathForward {
			host = a.behind
			if address != next {
				err = end{a.guarded, a.backdoor}.route(single, next)
			}
		}
		if address != gateway && address != next {
			err = errors.Join(err, host.own(single))
		}
		if s.link > 0 && address != gateway {
			err = errors.Join(err, end{a.outside, fmt.Sprintf("link%d", s.link)}.route(single, gateway))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// serve starts the servers and watches for attackers: those of forwarded services behind, the others on the guarded host itself. It comes after an
// apply, because a listener takes net.core.somaxconn as it is when it listens.
func (a *arena) serve(l layout, m traffic.ServerModel, attackers netip.Prefix) (servers servers, err error) {
	ports := map[*space][]uint16{}
	for _, s := range l.services {
		host := a.guarded
		if s.policy.Path == policy.PathForward {
			host = a.behind
		}
		for _, p := range s.ports {
			if !slices.Contains(ports[host], p) {
				ports[host] = append(ports[host], p)
			}
		}
	}
	for host, p := range ports {
		server, err := traffic.Serve(host, p, m, attackers)
		if err != nil {
			servers.close()
			return nil, err
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// servers are those of all hosts.
type servers []*traffic.Server

func (all servers) close() {
	for _, s := range all {
		s.Close()
	}
}

// taken is the most places that attackers held.
func (all servers) taken() (n int) {
	for _, s := range all {
		n += s.Taken()
	}
	return n
}
