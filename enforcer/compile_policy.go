package enforcer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// service is one policy on its way into the kernel. Its chains decide in the language's order: ban, deny, allow, only,
// SYN rate, connection limit, rate limit, full tables. (Management sources have left in the base chain.)
type service struct {
	*compiler
	*policy.Policy
	address string // "policy.web"
	monitor bool
	early   []Rule // of the chain before conntrack
	rules   []Rule // of the chain under construction
	refused map[string]bool
}

func (c *compiler) policy(p *policy.Policy) error {
	s := &service{
		compiler: c, Policy: p, address: "policy." + p.Name, monitor: p.Mode == policy.ModeMonitor, refused: map[string]bool{},
	}
	c.resource(s.address, p.Range, s.attributes()...)
	if p.Mode == policy.ModeOff {
		return nil
	}
	if err := s.ban(); err != nil {
		return err
	}
	s.deny()
	s.allow()
	s.only()
	if err := s.synFlood(); err != nil {
		return err
	}
	if err := s.limits(); err != nil {
		return err
	}
	c.dispatchTo(hookOf(p.Path), p, s.address)
	if len(s.early) > 0 {
		s.chain(s.address+".early", s.address, s.early)
		c.dispatchTo(HookPrerouting, p, s.address+".early")
	}
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

// here matches what is for this policy's path. Before routing that takes a look into the routing table; addresses that
// a policy names are its own word for it.
func (s *service) here() Statement { return MatchLocal{Negate: s.Path == policy.PathForward} }

// deny drops at the earliest hook, and once more here: behind a NAT rule the port or address that the earliest hook
// saw is not the one the policy names.
func (s *service) deny() {
	if len(s.Deny) == 0 {
		return
	}
	address := s.address + ".deny"
	s.resource(address, s.DenyRange, Attribute{Name: "lists", Value: s.listsText(s.Deny)})
	out := outcome{address: address, counter: s.counter(address, address), refusal: s.verdict(Drop)}
	for _, name := range s.Deny {
		for _, set := range s.listSets(name) {
			end := s.refuse(out)
			s.add(address, append([]Statement{set.match}, end...)...)
			// In monitor mode the early chain would count every packet that this one counts again.
			if !s.monitor {
				s.addEarly(address, append([]Statement{set.match, s.here()}, end...)...)
			}
		}
	}
}

// notAllowed matches sources of a family that are in none of the allow lists.
func (s *service) notAllowed(family FieldName) []Statement {
	var out []Statement
	for _, name := range s.Allow {
		for _, set := range s.listSets(name) {
			if set.match.Fields[0].Name == family {
				match := set.match
				match.Negate = true
				out = append(out, match)
			}
		}
	}
	return out
}

// allow lets its lists pass, and before conntrack keeps them from being challenged.
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
			if s.challenges() {
				s.addEarly(address, set.match, Verdict{Kind: Accept})
			}
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
	out := outcome{address: address, counter: s.counter(address, address), refusal: s.verdict(Drop)}
	for _, name := range s.Only {
		for _, set := range s.listSets(name) {
			s.add(address, set.match, Verdict{Kind: Goto, Chain: s.limitsChain()})
		}
	}
	s.add(address, s.refuse(out)...)
	s.close(s.address)
}

// limitsChain is where the limits stand: what only admits, or everything when there is no only.
func (s *service) limitsChain() string {
	if len(s.Only) > 0 {
		return s.address + ".admitted"
	}
	return s.address
}

// limits ends the policy. Where sources are challenged the limits stand twice, on the same meters: an unproven excess
// is challenged, only a proven excess is refused.
func (s *service) limits() error {
	var limits []*limit
	for _, l := range []*limit{s.connectionLimit(), s.rateLimit()} {
		if l == nil {
			continue
		}
		if err := l.declare(); err != nil {
			return err
		}
		limits = append(limits, l)
	}
	accepted := s.counter(s.address+".accepted", s.address)
	// A connection that was there before conntrack was in use shows up as new in mid-stream. It is no new connection:
	// limits are for the packet that opens one.
	if s.Protocol == policy.TCP {
		s.add(s.address, MatchSYN{Negate: true}, Verdict{Kind: Accept})
	}
	if !s.challenges() {
		s.limit(limits, (*limit).refuse, (*limit).overflowDrop)
		s.add(s.address, accepted)
		s.close(s.limitsChain())
		return nil
	}
	translated := s.address + ".translated"
	s.add(s.address, MatchTranslated{}, Verdict{Kind: Goto, Chain: translated})
	if err := s.challengeUnproven(limits); err != nil {
		return err
	}
	s.limit(limits, (*limit).challenge, (*limit).overflowChallenge)
	s.add(s.address, accepted)
	s.close(s.limitsChain())

	s.limit(limits, (*limit).refuseTranslated, (*limit).overflowDrop)
	s.add(s.address, accepted)
	s.close(translated)

	s.challengeChain()
	return s.proven(limits, accepted)
}

// limit adds the meters and, behind all of them, what becomes of sources that did not fit.
func (s *service) limit(limits []*limit, excess func(*limit) []Statement, full func(*limit) []Statement) {
	for _, l := range limits {
		l.meters(excess(l))
	}
	for _, l := range limits {
		l.overflow(full(l))
	}
}

// close ends the chain under construction.
func (s *service) close(name string) {
	s.chain(name, s.address, s.rules)
	s.rules = nil
}

func (s *service) addEarly(address string, statements ...Statement) {
	s.early = append(s.early, s.rule(address, statements...))
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
