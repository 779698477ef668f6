package drill

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// space is a network namespace that has no name: one thread of this process is in it, and it dies with that thread, or
// with the last socket opened there. So nothing is left behind however the process ends.
type space struct {
	jobs chan func()
	gone chan struct{}
	file *os.File // /proc/.../ns/net, for moving an interface here
}

// newSpace makes a network namespace, with the mounts of its thread its own, so that what is mounted inside Do dies
// with the thread too. Loopback is up, IPv6 duplicate address detection off.
func newSpace() (*space, error) {
	s := &space{jobs: make(chan func()), gone: make(chan struct{})}
	ready := make(chan error)
	go s.live(ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	if err := s.Do(s.prepare); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// live is the thread. It never unlocks: the runtime destroys the thread with the goroutine, so that nobody else runs in
// the namespace.
func (s *space) live(ready chan<- error) {
	defer close(s.gone)
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
	if err != nil {
		ready <- fmt.Errorf("make a network namespace: %w", os.NewSyscallError("unshare", err))
		return
	}
	if s.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		ready <- fmt.Errorf("open network namespace: %w", err)
		return
	}
	ready <- nil
	for job := range s.jobs {
		job()
	}
}

// Do runs f on the namespace's thread. What f opens belongs to the namespace and may be used anywhere afterwards. Calls
// wait for each other, so f must be short and must not call Do.
func (s *space) Do(f func() error) error {
	done := make(chan error, 1)
	s.jobs <- func() { done <- f() }
	return <-done
}

// Close ends the thread, and with it the namespace once its sockets are closed.
func (s *space) Close() {
	close(s.jobs)
	<-s.gone
	s.file.Close()
}

// prepare sets what interfaces made later inherit.
func (s *space) prepare() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	for _, name := range []string{"all", "default"} {
		err = errors.Join(err,
			setSysctl("net/ipv4/conf/"+name+"/rp_filter", "0"),
			setSysctl("net/ipv6/conf/"+name+"/accept_dad", "0"),
			setSysctl("net/ipv6/conf/"+name+"/accept_ra", "0"),
			setSysctl("net/ipv6/conf/"+name+"/router_solicitations", "0"))
	}
	return err
}

// setSysctl writes a setting of the calling thread's network namespace; the key is a path below /proc/sys.
func setSysctl(key, value string) error {
	if err := os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0); err != nil {
		return fmt.Errorf("write sysctl: %w", err)
	}
	return nil
}

// end is one end of a veth pair.
type end struct {
	in    *space
	iface string
}

// join makes a veth pair between two namespaces and waits until it carries packets. One queue each, because the kernel
// would make one for each processor and spread packets over them by hash: order and cost then differ by machine.
func join(a, b end) error {
	err := a.in.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.NumTxQueues, attrs.NumRxQueues = a.iface, 1, 1
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: attrs, PeerName: b.iface, PeerNamespace: netlink.NsFd(int(b.in.file.Fd())),
			PeerNumTxQueues: 1, PeerNumRxQueues: 1,
		})
	})
	if err != nil {
		return fmt.Errorf("join two namespaces by veth: %w", err)
	}
	return errors.Join(a.up(), b.up(), a.awaitCarrier(), b.awaitCarrier())
}

func (e end) up() error {
	return e.withLink(netlink.LinkSetUp)
}

func (e end) awaitCarrier() error {
	return e.await("carries packets", func() (bool, error) {
		link, err := netlink.LinkByName(e.iface)
		return err == nil && link.Attrs().OperState == netlink.OperUp, err
	})
}

// withLink runs f with the interface, in its namespace.
func (e end) withLink(f func(netlink.Link) error) error {
	return e.in.Do(func() error {
		link, err := netlink.LinkByName(e.iface)
		if err != nil {
			return fmt.Errorf("find interface %s: %w", e.iface, err)
		}
		return f(link)
	})
}

// await waits for a condition that the kernel fulfils from a work queue.
func (e end) await(what string, holds func() (bool, error)) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		ok := false
		err := e.in.Do(func() (err error) { ok, err = holds(); return err })
		if err != nil || ok {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("interface %s: not within 5 s: %s", e.iface, what)
		}
	}
}

// addAddress gives the interface an address that is usable when it returns.
func (e end) addAddress(p netip.Prefix) error {
	err := e.withLink(func(link netlink.Link) error {
		addr := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		return netlink.AddrAdd(link, addr)
	})
	if err != nil {
		return fmt.Errorf("add address %v to %s: %w", p, e.iface, err)
	}
	// An IPv6 address becomes local from a work queue (addrconf_dad_completed in net/ipv6/addrconf.c).
	return e.await(p.Addr().String()+" is local", func() (bool, error) {
		routes, err := netlink.RouteGet(p.Addr().AsSlice())
		return err == nil && len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL, nil
	})
}

// route sends what goes to a prefix through the interface to a gateway.
func (e end) route(to netip.Prefix, via netip.Addr) error {
	return e.withLink(func(link netlink.Link) error {
		r := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(to), Gw: via.AsSlice()}
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("route %v via %v: %w", to, via, err)
		}
		return nil
	})
}

// know writes the other end's hardware address down for each address, so that no packet waits for ARP or neighbour
// discovery, which an attack would delay.
func (e end) know(other end, addresses ...netip.Addr) error {
	hardware, err := other.hardware()
	if err != nil {
		return err
	}
	return e.withLink(func(link netlink.Link) error {
		for _, a := range addresses {
			n := &netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: hardware}
			if err := netlink.NeighSet(n); err != nil {
				return fmt.Errorf("write down neighbour %v: %w", a, err)
			}
		}
		return nil
	})
}

func (e end) hardware() (address net.HardwareAddr, err error) {
	err = e.withLink(func(link netlink.Link) error { address = link.Attrs().HardwareAddr; return nil })
	return address, err
}

// own makes every address of a prefix the namespace's own: packets to them are delivered here, sockets may bind to them.
func (s *space) own(p netip.Prefix) error {
	return end{s, "lo"}.withLink(func(lo netlink.Link) error {
		r := &netlink.Route{
			LinkIndex: lo.Attrs().Index, Dst: ipNet(p), Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST,
		}
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("make %v local: %w", p, err)
		}
		return nil
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
