package drill

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/tcpguard/tcpguard/internal/drill/report"
	"github.com/tcpguard/tcpguard/internal/drill/traffic"
	"github.com/tcpguard/tcpguard/policy"
)

// The groups of legitimate clients.
const (
	groupVisitors4 = "visitors"
	groupVisitors6 = "visitors-ipv6"
	groupKept      = "keep-alive"
	groupNAT       = "nat"
	groupInnocent  = "innocent"
)

// The size of the crowd, before the policies' limits make it smaller. It leaves most of a small machine to the attack.
const (
	visits4   = 150 // a second
	visits6   = 50
	kept4     = 6 // users who keep a connection
	kept6     = 2
	natUsers  = 20
	innocents = 5 // visits a second
	most      = 512
	asking    = 250 * time.Millisecond // between two requests on a kept connection
)

// crowd is everybody legitimate in a scenario.
type crowd struct {
	visitors []traffic.Visitors
	regulars []traffic.Regular
	innocent []netip.Addr // one for each service: whose address gets spoofed
	notes    []string
}

// crowdOf makes the clients of every service. They share the load evenly.
func crowdOf(b *policy.Bundle, l layout, w world, d, timeout time.Duration) *crowd {
	c := &crowd{}
	for _, s := range l.services {
		m := member{crowd: c, service: s, span: d + warmUp, share: 1 / float64(len(l.services)), budget: budgetOf(s.policy, d+warmUp, timeout)}
		if at := s.at(false); at != nil {
			m.family4(at, w.sourcesOf(b, s.policy, false, most))
		}
		if at := s.at(true); at != nil {
			m.family6(at, w.sourcesOf(b, s.policy, true, most))
		}
	}
	return c
}

// member adds the clients of one service.
type member struct {
	crowd   *crowd
	service service
	span    time.Duration
	share   float64
	budget  budget
}

func (m member) note(format string, args ...any) {
	m.crowd.notes = append(m.crowd.notes, fmt.Sprintf("policy.%s ", m.service.policy.Name)+fmt.Sprintf(format, args...))
}

// family4 shares the addresses out: one that gets spoofed, one for a NAT, some that keep connections, the rest visits.
func (m member) family4(at []netip.AddrPort, sources []netip.Addr) {
	if len(sources) == 0 {
		m.note("lets no IPv4 client in: none was tried")
		return
	}
	innocent, sources := sources[0], sources[1:]
	m.crowd.innocent = append(m.crowd.innocent, innocent)
	m.visit(groupInnocent, at, []netip.Addr{innocent}, innocents)
	if len(sources) > 1 {
		m.nat(at, sources[0])
		sources = sources[1:]
	}
	m.visit(groupVisitors4, at, m.keep(at, sources, kept4), visits4)
}

func (m member) family6(at []netip.AddrPort, sources []netip.Addr) {
	if len(sources) == 0 {
		m.note("lets no IPv6 client in: none was tried")
		return
	}
	m.visit(groupVisitors6, at, m.keep(at, sources, kept6), visits6)
}

// keep makes up to n sources regulars with one connection each, and gives the others back.
func (m member) keep(at []netip.AddrPort, sources []netip.Addr, n int) []netip.Addr {
	n = min(max(1, int(float64(n)*m.share)), len(sources)/4, m.budget.allHeld/4)
	for i, source := range sources[:n] {
		m.crowd.regulars = append(m.crowd.regulars, traffic.Regular{Group: groupKept, Source: source, Target: at[i%len(at)], Every: asking})
	}
	return sources[n:]
}

// nat puts as many users behind one address as the policy has room for, up to twenty.
func (m member) nat(at []netip.AddrPort, source netip.Addr) {
	users := min(natUsers, m.budget.held, m.budget.total, m.budget.allHeld/4, m.budget.allTotal/4)
	if users < 2 {
		m.note("leaves no room for several users behind one address: no NAT was tried")
		return
	}
	// Each user makes as many connections as there is room for, of half a second at least.
	connections := min(m.budget.total/users, int(m.span/(500*time.Millisecond)))
	hold := m.span / time.Duration(max(1, connections))
	for i := range users {
		m.crowd.regulars = append(m.crowd.regulars, traffic.Regular{
			Group: groupNAT, Source: source, Target: at[i%len(at)], Every: asking, Hold: hold,
		})
	}
}

// visit lets the sources come at a rate a second that the service's budget bears.
func (m member) visit(group string, at []netip.AddrPort, sources []netip.Addr, perSecond float64) {
	if len(sources) == 0 {
		return
	}
	want := perSecond * m.share * m.span.Seconds()
	n := int(max(1, min(want, float64(product(m.budget.total, len(sources))), float64(m.budget.allTotal)/4)))
	v := traffic.Visitors{Group: group, Sources: sources[:min(len(sources), n)], Targets: at, Every: m.span / time.Duration(n), Most: n}
	if n < precious {
		v.After, v.Every = warmUp, (m.span-warmUp)/time.Duration(n)
	}
	m.crowd.visitors = append(m.crowd.visitors, v)
}

// precious is how few visits must not be spent on the warm-up, where they do not count.
const precious = 30

// sources gives everybody's addresses.
func (c *crowd) sources() []netip.Addr {
	var out []netip.Addr
	for _, v := range c.visitors {
		out = append(out, v.Sources...)
	}
	for _, r := range c.regulars {
		out = append(out, r.Source)
	}
	return out
}

// run lets everybody do what they do until the context is done, and waits for the last answer.
func (c *crowd) run(ctx context.Context, clients traffic.Clients) {
	var all sync.WaitGroup
	for _, v := range c.visitors {
		all.Go(func() { clients.Visit(ctx, v) })
	}
	for _, r := range c.regulars {
		all.Go(func() { clients.Use(ctx, r) })
	}
	all.Wait()
}

// describe tells who they are.
func (c *crowd) describe() []report.ClientGroup {
	what := map[string]string{
		groupVisitors4: "connect, ask once, leave",
		groupVisitors6: "the same over IPv6",
		groupKept:      "keep one connection and ask four times a second",
		groupNAT:       "several users behind one address, each asking four times a second",
		groupInnocent:  "a visitor whose address the attacker spoofs in spoofed-innocent",
	}
	sources := map[string]map[netip.Addr]bool{}
	count := func(group string, from ...netip.Addr) {
		if sources[group] == nil {
			sources[group] = map[netip.Addr]bool{}
		}
		for _, a := range from {
			sources[group][a] = true
		}
	}
	users := 0
	for _, v := range c.visitors {
		count(v.Group, v.Sources...)
	}
	for _, r := range c.regulars {
		count(r.Group, r.Source)
		if r.Group == groupNAT {
			users++
		}
	}
	if users > 0 {
		what[groupNAT] = fmt.Sprintf("%d users behind so many addresses, each asking four times a second", users)
	}
	out := []report.ClientGroup{}
	for _, group := range []string{groupVisitors4, groupVisitors6, groupKept, groupNAT, groupInnocent} {
		if n := len(sources[group]); n > 0 {
			out = append(out, report.ClientGroup{Name: group, Sources: n, What: what[group]})
		}
	}
	return out
}
