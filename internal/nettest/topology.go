package nettest

import "net/netip"

// The addresses of every topology. All are documentation or private addresses.
var (
	Client4 = netip.MustParseAddr("10.1.0.2")
	Client6 = netip.MustParseAddr("2001:db8:1::2")
	Server4 = netip.MustParseAddr("10.2.0.2")
	Server6 = netip.MustParseAddr("2001:db8:2::2")
	// ServerAlias4 and ServerAlias6 are second addresses of the server.
	ServerAlias4 = netip.MustParseAddr("10.2.0.3")
	ServerAlias6 = netip.MustParseAddr("2001:db8:2::3")

	// Second4 and Second6 are the server's addresses on the second link, see SecondLink.
	Second4 = netip.MustParseAddr("10.3.0.1")
	Second6 = netip.MustParseAddr("2001:db8:3::1")

	// Sources4 and Sources6 are the client's own as a whole: it may bind to any of their addresses. Sources6 holds
	// 65536 different /64.
	Sources4 = netip.MustParsePrefix("10.64.0.0/16")
	Sources6 = netip.MustParsePrefix("2001:db8:64::/48")
	// Spoofed4 and Spoofed6 belong to nobody. Answers to them reach the client's wire (see Capture) and are thrown
	// away there, so no RST gives a half-open connection away.
	Spoofed4 = netip.MustParsePrefix("10.128.0.0/9")
	Spoofed6 = netip.MustParsePrefix("2001:db8:128::/48")

	router4, router6   = netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("2001:db8:1::1")
	gateway4, gateway6 = netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("2001:db8:2::1")
	any4, any6         = netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
)

// Topology is a client and a server, joined directly or through a router. Interfaces are named eth0; the router has
// eth0 towards the client and eth1 towards the server.
type Topology struct {
	Client *NS
	Server *NS
	Router *NS // nil when they are joined directly
}

// Guarded is the namespace that the traffic between client and server is judged in: the router where there is one.
func (p *Topology) Guarded() *NS {
	if p.Router != nil {
		return p.Router
	}
	return p.Server
}

// Pair joins a client and a server by one veth pair. Addresses, routes and neighbours are in place when it returns.
func Pair(t T) *Topology {
	t.Helper()
	p := &Topology{Client: New(t), Server: New(t)}
	client, server := End{p.Client, "eth0"}, End{p.Server, "eth0"}
	p.ownSources(t)
	Link(t, client, server)
	// Joined directly, the server itself owns the gateway addresses that the client sends through.
	addAll(t, client, Client4, Client6)
	addAll(t, server, router4, router6)
	addAll(t, server, Server4, Server6, ServerAlias4, ServerAlias6)
	client.know(t, server, router4, router6)
	server.know(t, client, Client4, Client6)
	defaultRoutes(t, client, router4, router6)
	defaultRoutes(t, server, Client4, Client6)
	return p
}

// Routed joins a client and a server through a router that forwards IPv4 and IPv6 and keeps no rules of its own.
func Routed(t T) *Topology {
	t.Helper()
	p := &Topology{Client: New(t), Router: New(t), Server: New(t)}
	client, server := End{p.Client, "eth0"}, End{p.Server, "eth0"}
	near, far := End{p.Router, "eth0"}, End{p.Router, "eth1"}
	p.ownSources(t)
	Link(t, client, near)
	Link(t, far, server)
	p.Router.SetSysctl(t, "net/ipv4/ip_forward", "1")
	p.Router.SetSysctl(t, "net/ipv6/conf/all/forwarding", "1")
	addAll(t, client, Client4, Client6)
	addAll(t, near, router4, router6)
	addAll(t, far, gateway4, gateway6)
	addAll(t, server, Server4, Server6, ServerAlias4, ServerAlias6)
	client.know(t, near, router4, router6)
	near.know(t, client, Client4, Client6)
	far.know(t, server, Server4, Server6, ServerAlias4, ServerAlias6)
	server.know(t, far, gateway4, gateway6)
	defaultRoutes(t, client, router4, router6)
	defaultRoutes(t, near, Client4, Client6)
	defaultRoutes(t, server, gateway4, gateway6)
	return p
}

// SecondLink joins client and server by another veth pair, whose ends are named eth1; the server is Second4 and
// Second6 there. Only for a Pair.
func (p *Topology) SecondLink(t T) {
	t.Helper()
	client, server := End{p.Client, "eth1"}, End{p.Server, "eth1"}
	Link(t, client, server)
	client4, client6 := Second4.Next(), Second6.Next()
	addAll(t, client, client4, client6)
	addAll(t, server, Second4, Second6)
	client.know(t, server, Second4, Second6)
	server.know(t, client, client4, client6)
}

func (p *Topology) ownSources(t T) {
	t.Helper()
	p.Client.AddLocal(t, Sources4)
	p.Client.AddLocal(t, Sources6)
}

// addAll adds IPv4 addresses as /24 and IPv6 addresses as /64.
func addAll(t T, e End, addresses ...netip.Addr) {
	t.Helper()
	for _, a := range addresses {
		bits := 24
		if a.Is6() {
			bits = 64
		}
		e.AddAddress(t, netip.PrefixFrom(a, bits))
	}
}

func defaultRoutes(t T, e End, via4, via6 netip.Addr) {
	t.Helper()
	e.AddRoute(t, any4, via4)
	e.AddRoute(t, any6, via6)
}
