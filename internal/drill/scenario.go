package drill

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpguard/tcpguard/internal/drill/report"
	"github.com/tcpguard/tcpguard/internal/drill/traffic"
)

// scenario is one attack.
type scenario struct {
	name, title, what string
	judged            string // the group whose success counts; "" for all
	attack            func(f *field) []attacker
}

// attacker attacks until the context is done.
type attacker func(ctx context.Context) (report.Attack, error)

// field is what an attack has to work with.
type field struct {
	arena    *arena
	layout   layout
	world    world
	crowd    *crowd
	rate     int // packets a second
	duration time.Duration
}

// TCP flags of floods.
const (
	syn = 1 << 1
	ack = 1 << 4
)

// What attackers that complete handshakes do in a second, all of them together. A drill is short: a slow attacker takes
// in seconds what a real one takes in an hour.
const (
	hoardPerSec  = 1000
	slowPerSec   = 256
	slowSources  = 4
	slowTrickle  = 200 * time.Millisecond
	churnPerSec  = 2000
	quietPerSec  = 300 // of the spoofed innocent's first phase: below what any threshold notices
	manySources  = 1000
	hoardTimes   = 2    // as many connections as the server has places, this many times
	innocentRest = 0.75 // of the scenario, after which the spoofing ends and the innocent must be served
)

// scenarios are all there are, in the order they are run.
var scenarios = [...]scenario{
	{
		name: "calm", title: "No attack", what: "legitimate clients alone: what the policy costs them",
		attack: func(*field) []attacker { return nil },
	},
	{
		name: "random-spoofed", title: "SYN flood, random sources", what: "every SYN carries another made-up IPv4 address, which never answers",
		attack: func(f *field) []attacker {
			return f.flood(traffic.Constant(f.rate), syn, f.fixed(f.world.nobody4.Addr().Next()), traffic.FromPrefix4(f.world.nobody4))
		},
	},
	{
		name: "one-source", title: "SYN flood, one source", what: "all SYNs carry one IPv4 address, which never answers",
		attack: func(f *field) []attacker {
			return f.flood(traffic.Constant(f.rate), syn, f.fixed(f.world.nobody4.Addr().Next()), traffic.FromOne)
		},
	},
	{
		name: "thousand-sources", title: "SYN flood, 1000 sources", what: "SYNs from a thousand IPv4 addresses in turn by chance, which never answer",
		attack: func(f *field) []attacker {
			first := f.world.nobody4.Addr().Next()
			return f.flood(traffic.Constant(f.rate), syn, f.fixed(first), traffic.FromMany(first, manySources))
		},
	},
	{
		name: "rotating-64", title: "SYN flood, rotating /64", what: "every SYN carries another address of one IPv6 /64, which never answers",
		attack: func(f *field) []attacker {
			return f.flood(traffic.Constant(f.rate), syn, f.fixed(f.world.nobody6.Addr().Next()), traffic.FromSubnet6)
		},
	},
	{
		name: "ack-flood", title: "ACK flood", what: "ACKs that belong to no connection, from random IPv4 addresses",
		attack: func(f *field) []attacker {
			return f.flood(traffic.Constant(f.rate), ack, f.fixed(f.world.nobody4.Addr().Next()), traffic.FromPrefix4(f.world.nobody4))
		},
	},
	{
		name: "hoarding", title: "Connection hoarding", what: "one source opens connections as fast as it can and keeps them",
		attack: func(f *field) []attacker {
			return f.connect(traffic.Attackers{PerSec: hoardPerSec, Hold: f.hoard()}, 1)
		},
	},
	{
		name: "churn", title: "Connection churn", what: "one source opens connections, asks once and drops them, again and again",
		attack: func(f *field) []attacker { return f.connect(traffic.Attackers{PerSec: churnPerSec}, 1) },
	},
	{
		name: "slow-hoarding", title: "Slow hoarding", what: "a few sources take places one by one and feed each a byte at a time",
		attack: func(f *field) []attacker {
			return f.connect(traffic.Attackers{PerSec: slowPerSec, Hold: f.hoard(), Trickle: slowTrickle}, slowSources)
		},
	},
	{
		name: "spoofed-innocent", title: "An innocent's address spoofed", judged: groupInnocent,
		what:   "SYNs carry the address of a legitimate client: slowly, then as a flood, then no more; what counts is that client",
		attack: (*field).frame,
	},
}

// Scenarios names every scenario, in the order they are run.
func Scenarios() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// choose gives the named scenarios in their order, all of them when none is named.
func choose(names []string) ([]scenario, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	var out []scenario
	for _, s := range scenarios {
		if len(names) == 0 || wanted[s.name] {
			out = append(out, s)
		}
		delete(wanted, s.name)
	}
	for name := range wanted {
		return nil, fmt.Errorf("unknown scenario %q", name)
	}
	return out, nil
}

// hoard is how many connections attackers keep.
func (f *field) hoard() int { return hoardTimes * traffic.DefaultModel().Places }

// fixed gives every service the same source.
func (f *field) fixed(source netip.Addr) func(int) netip.Addr {
	return func(int) netip.Addr { return source }
}

// flood sends packets to every service that has an address of the source's family. The rate is shared among the links by
// the number of their destinations.
func (f *field) flood(pace traffic.Pace, flags byte, source func(service int) netip.Addr, vary traffic.Vary) []attacker {
	lanes := make([][]traffic.Lane, len(f.arena.wires))
	all := 0
	for i, s := range f.layout.services {
		from := source(i)
		wire := f.arena.wires[s.link]
		for _, to := range s.at(from.Is6()) {
			template := traffic.NewFrame(wire.Hardware, wire.Peer, netip.AddrPortFrom(from, 1024), to, flags)
			lanes[s.link] = append(lanes[s.link], traffic.Lane{Template: template, Vary: vary})
			all++
		}
	}
	var out []attacker
	for link, l := range lanes {
		if len(l) == 0 {
			continue
		}
		share := float64(len(l)) / float64(all)
		flood := traffic.Flood{
			Wire: f.arena.wires[link], Seed: uint64(link), Lanes: l,
			Pace: func(since time.Duration) float64 { return share * pace(since) },
		}
		out = append(out, func(ctx context.Context) (report.Attack, error) {
			sent, err := flood.Run(ctx)
			return report.Attack{Unit: "packets", Sent: sent}, err
		})
	}
	return out
}

// frame spoofs each service's innocent: first so slowly that no threshold is crossed, then as a flood, then not at all.
func (f *field) frame() []attacker {
	if len(f.crowd.innocent) == 0 {
		return nil
	}
	pace := func(since time.Duration) float64 {
		switch part := since.Seconds() / f.duration.Seconds(); {
		case part < innocentRest/3:
			return min(quietPerSec, float64(f.rate))
		case part < innocentRest:
			return float64(f.rate)
		}
		return 0
	}
	innocent := func(service int) netip.Addr { return f.crowd.innocent[service%len(f.crowd.innocent)] }
	return f.flood(pace, syn, innocent, traffic.FromOne)
}

// connect attacks every service over IPv4 from n sources.
func (f *field) connect(a traffic.Attackers, n int) []attacker {
	a.Space = f.arena.outside
	source := f.world.attackers4.Addr().Next()
	for range n {
		a.Sources = append(a.Sources, source)
		source = source.Next()
	}
	for _, s := range f.layout.services {
		a.Targets = append(a.Targets, s.at(false)...)
	}
	if len(a.Targets) == 0 {
		return nil
	}
	return []attacker{func(ctx context.Context) (report.Attack, error) {
		t := a.Run(ctx)
		return report.Attack{Unit: "connections", Sent: t.Attempts, Established: t.Established}, nil
	}}
}
