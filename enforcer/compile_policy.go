package enforcer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// service is one policy on its way into the kernel. Its chain decides in the language's order: deny, allow, only,
// connection limit, rate limit, full tables. (Management sources have left in the base chain.)
type service struct {
	*compiler
	*policy.Policy
	address string // "policy.web"
	monitor bool
	rules   []Rule // of the chain under construction
}

func (c *compiler) policy(p *policy.Policy) error {
	s := &service{compiler: c, Policy: p, address: "policy." + p.Name, monitor: p.Mode == policy.ModeMonitor}
	c.resource(s.address, p.Range, s.attributes()...)
	if p.Mode == policy.ModeOff {
		return nil
	}
	s.deny()
	s.allow()
	s.only()
	if err := s.limits(); err != nil {
		return err
	}
	c.dispatchTo(hookOf(p.Path), p, s.address)
	return nil
}

func hookOf(p policy.Path) Hook {
	if p == policy.PathForward {
		return HookForward
	}
	return HookInput
}

func (s *service) attributes() []Attribute {
	a := []Attribute{
		{Name: "mode", Value: string(s.Mode)},
		{Name: "path", Value: string(s.Path)},
		{Name: "protocol", Value: string(s.Protocol)},
		{Name: "ports", Value: joinText(s.Ports)},
	}
	if len(s.Interfaces) > 0 {
		a = append(a, Attribute{Name: "interfaces", Value: strings.Join(s.Interfaces, ", ")})
	}
	if len(s.Addresses) > 0 {
		a = append(a, Attribute{Name: "addresses", Value: prefixesText(s.Addresses)})
	}
	return a
}

// deny drops at the earliest hook, and once more here: behind a NAT rule the port or address that the earliest hook
// saw is not the one the policy names.
func (s *service) deny() {
	if len(s.Deny) == 0 {
		return
	}
	address := s.address + ".deny"
	s.resource(address, s.DenyRange, Attribute{Name: "lists", Value: s.listsText(s.Deny)})
	count := s.counter(address, address)
	var early []Rule
	local := MatchLocal{Negate: s.Path == policy.PathForward}
	for _, name := range s.Deny {
		for _, set := range s.listSets(name) {
			early = append(early, s.rule(address, set.match, local, count, Verdict{Kind: Drop}))
			s.add(address, set.match, count, s.verdict(Drop))
		}
	}
	// In monitor mode the early chain would count every packet that this one counts again.
	if len(early) > 0 && !s.monitor {
		s.chain(address, address, early)
		s.dispatchTo(HookPrerouting, s.Policy, address)
	}
}

func (s *service) allow() {
	if len(s.Allow) == 0 {
		return
	}
	address := s.address + ".allow"
	s.resource(address, s.AllowRange, Attribute{Name: "lists", Value: s.listsText(s.Allow)})
	count := s.counter(address, address)
	for _, name := range s.Allow {
		for _, set := range s.listSets(name) {
			s.add(address, set.match, count, Verdict{Kind: Accept})
		}
	}
}

// only drops everybody outside its lists. Being in any one of several sets is enough, so members go to a chain of
// their own, and who is still here is in none.
func (s *service) only() {
	if len(s.Only) == 0 {
		return
	}
	address := s.address + ".only"
	s.resource(address, s.OnlyRange, Attribute{Name: "lists", Value: s.listsText(s.Only)})
	count := s.counter(address, address)
	admitted := s.address + ".admitted"
	for _, name := range s.Only {
		for _, set := range s.listSets(name) {
			s.add(address, set.match, Verdict{Kind: Goto, Chain: admitted})
		}
	}
	s.add(address, count, s.verdict(Drop))
	s.chain(s.address, s.address, s.rules)
	s.rules = nil
}

// limits ends the policy: what only admits, or everything when there is no only.
func (s *service) limits() error {
	// A connection that was there before conntrack was in use shows up as new in mid-stream. It is no new connection:
	// limits are for the packet that opens one.
	if s.Protocol == policy.TCP {
		s.add(s.address, MatchSYN{Negate: true}, Verdict{Kind: Accept})
	}
	var full []Rule
	for _, l := range []*limit{s.connectionLimit(), s.rateLimit()} {
		if l == nil {
			continue
		}
		overflow, err := l.compile()
		if err != nil {
			return err
		}
		full = append(full, overflow...)
	}
	s.rules = append(s.rules, full...)
	s.add(s.address, s.counter(s.address+".accepted", s.address))
	name := s.address
	if len(s.Only) > 0 {
		name += ".admitted"
	}
	s.chain(name, s.address, s.rules)
	return nil
}

// add appends a rule to the chain under construction.
func (s *service) add(address string, statements ...Statement) {
	s.rules = append(s.rules, s.rule(address, statements...))
}

// verdict gives the verdict itself, or accept in monitor mode: the decision is counted once, where it would have been
// made, and what stands behind it is not asked.
func (s *service) verdict(kind VerdictKind) Statement {
	if s.monitor {
		kind = Accept
	}
	return Verdict{Kind: kind}
}

// refusal is how a limit says no.
func (s *service) refusal(action policy.Action) Statement {
	if action == policy.ActionReset && !s.monitor {
		return ResetTCP{}
	}
	return s.verdict(Drop)
}

func joinText(ports []policy.PortRange) string {
	parts := make([]string, len(ports))
	for i, p := range ports {
		parts[i] = p.String()
	}
	return strings.Join(parts, ", ")
}

func prefixesText(prefixes []netip.Prefix) string {
	parts := make([]string, len(prefixes))
	for i, p := range prefixes {
		parts[i] = p.String()
		if p.IsSingleIP() {
			parts[i] = p.Addr().String()
		}
	}
	return strings.Join(parts, ", ")
}

// shownAddresses is how many addresses of an anonymous list a plan spells out.
const shownAddresses = 8

// listsText names lists by address, sorted, as attributes show them; addresses without a list stand for themselves.
func (c *compiler) listsText(names []string) string {
	var parts []string
	for _, n := range names {
		list := c.lists[n]
		switch {
		case !list.Anonymous:
			parts = append(parts, list.Address())
		case list.Addresses.Len() <= shownAddresses:
			parts = append(parts, slices.Collect(list.Addresses.Texts())...)
		default:
			parts = append(parts, fmt.Sprintf("%d addresses (%s)", list.Addresses.Len(), contentHash(list.Addresses)))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
