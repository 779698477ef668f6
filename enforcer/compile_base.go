package enforcer

import (
	"fmt"
	"net/netip"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// pipelineAddress owns what no single policy does: base chains and their fixed rules.
const pipelineAddress = "pipeline"

const managementAddress = "management"

// baseChains adds the chains that the kernel calls, for the hooks where some policy acts.
func (c *compiler) baseChains() {
	hooks := map[Hook]bool{}
	for _, m := range c.dispatch {
		hooks[hookOfMap(m.Name)] = true
	}
	if len(hooks) == 0 {
		return
	}
	c.resource(pipelineAddress, policy.Range{}, Attribute{Name: "layout", Value: layout})
	hooks[HookPrerouting] = true // bans made by hand are dropped there
	management, bans := c.management(), c.hostBans()
	for _, hook := range []Hook{HookPrerouting, HookInput, HookForward, HookOutput} {
		if hooks[hook] {
			c.baseChain(hook, management, bans)
		}
		if c.proxied[hook] {
			c.proxyChain(hook, management)
		}
	}
	if len(c.proxied) > 0 {
		c.answerChain()
	}
}

// baseChain is, in order: what needs no decision, who is never limited, and one lookup that finds the policy.
func (c *compiler) baseChain(hook Hook, management, bans []Rule) {
	chain := Chain{Name: string(hook), Address: pipelineAddress, Hook: hook, Priority: priorityLimits}
	add := func(statements ...Statement) {
		chain.Rules = append(chain.Rules, c.rule(pipelineAddress, statements...))
	}
	if hook == HookPrerouting {
		chain.Priority = priorityPrerouting
	}
	if hook == HookOutput {
		// First, because under a flood this is all answers to challenges, which belong to no connection.
		add(MatchSYN{Negate: true}, Verdict{Kind: Accept})
	}
	if hook != HookPrerouting {
		add(MatchEstablished{}, Verdict{Kind: Accept})
	}
	byInterface, others := c.lookups(hook)
	loopback := func() { add(c.ownTraffic(hook)...) }
	if hook == HookInput {
		chain.Rules = append(chain.Rules, c.provenOnLoopback()...)
	}
	// Loopback is limited only where a policy names it; then its packets must pass that policy's lookup first.
	if !c.loopback[hook] {
		loopback()
	}
	chain.Rules = append(chain.Rules, management...)
	if hook == HookPrerouting {
		chain.Rules = append(chain.Rules, bans...)
	}
	for _, m := range byInterface {
		add(m)
	}
	if c.loopback[hook] {
		loopback()
	}
	for _, m := range others {
		add(m)
	}
	if hook == HookOutput {
		c.provenLookups(&chain)
	}
	c.out.Chains = append(c.out.Chains, chain)
}

// ownTraffic lets pass what the host sends to itself, and at the output hook all that it sends in its own name: what a
// synproxy opens there has a client's address.
func (c *compiler) ownTraffic(hook Hook) []Statement {
	if hook == HookOutput {
		return []Statement{MatchLocalSource{}, Verdict{Kind: Accept}}
	}
	return []Statement{MatchLoopback{}, Verdict{Kind: Accept}}
}

// management gives the rules that let the host's administrators pass, before every limit and at every hook.
func (c *compiler) management() []Rule {
	m := c.bundle.Management
	if len(m.Sources) == 0 && len(m.Ports) == 0 {
		return nil
	}
	c.resource(managementAddress, m.Range, managementAttributes(m)...)
	if len(m.Sources) == 0 {
		set := Set{Name: managementAddress + ".port", Address: managementAddress, Key: []KeyType{KeyPort}, Interval: true}
		for _, p := range m.Ports {
			set.Elements = append(set.Elements, element([]keyField{portField(p.First, p.Last)}, true, nil))
		}
		return []Rule{c.managementRule(set, TCPDport)}
	}
	var rules []Rule
	v4, v6 := sourceElements(m.Sources)
	if len(v4) > 0 {
		rules = append(rules, c.managementRule(Set{Name: managementAddress + ".v4", Key: []KeyType{KeyIPv4}, Elements: v4}, IPSaddr))
	}
	if len(v6) > 0 {
		rules = append(rules, c.managementRule(Set{Name: managementAddress + ".v6", Key: []KeyType{KeyIPv6}, Elements: v6}, IP6Saddr))
	}
	return rules
}

func managementAttributes(m policy.Management) []Attribute {
	var a []Attribute
	if len(m.Sources) > 0 {
		a = append(a, Attribute{Name: "sources", Value: prefixesText(m.Sources)})
	}
	if len(m.Ports) > 0 {
		a = append(a, Attribute{Name: "ports", Value: joinText(m.Ports)})
	}
	return a
}

func (c *compiler) managementRule(set Set, field FieldName) Rule {
	set.Address, set.Interval = managementAddress, true
	c.out.Sets = append(c.out.Sets, set)
	return c.rule(managementAddress, MatchSet{Fields: []Field{{Name: field}}, Set: set.Name}, Verdict{Kind: Accept})
}

// sourceElements merges prefixes: the kernel refuses ranges that overlap.
func sourceElements(prefixes []netip.Prefix) (v4, v6 []Element) {
	var b addrset.Builder
	for _, p := range prefixes {
		// policy.Load has checked the prefixes; one the builder refuses would be missing here and shows in a test.
		_ = b.AddPrefix(p)
	}
	for first, last := range b.Build().All() {
		e := Element{Address: managementAddress, Key: first.AsSlice(), KeyEnd: last.AsSlice()}
		if first.Is4() {
			v4 = append(v4, e)
		} else {
			v6 = append(v6, e)
		}
	}
	sortElements(v4)
	sortElements(v6)
	return v4, v6
}

// mapName names the verdict map of a hook and protocol, for policies that narrow themselves in the same way.
func mapName(hook Hook, proto policy.Protocol, shape string) string {
	return fmt.Sprintf("%s.%s.%s", hook, proto, shape)
}
