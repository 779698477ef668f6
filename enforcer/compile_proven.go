package enforcer

import (
	"fmt"
	"slices"

	"github.com/tcpguard/tcpguard/policy"
)

// A challenged connection is made in two halves. The synproxy answers the client's SYN, and once the client has proved
// its address opens the connection to the service in its name. That second SYN passes the output hook, and on its way
// to a local service the input hook, on loopback.
//
// What is dropped is dropped at the output hook, where it leaves no conntrack entry behind: on loopback it is confirmed
// already, and would hold its place for two minutes. What is to be reset needs that entry: a RST in answer to the
// synproxy's SYN has the service's sequence number, the kernel translates none of a packet that it merely relates to a
// connection (nf_confirm), and the client ignores it; but with the entry the client's next packet reaches the host's own
// TCP, whose RST fits. A host behind this one cannot be spoken for like that, so there a reset is silent.

// priorityProxy stands behind every filter. A challenge is an answer in the service's name, and what the synproxy opens
// then comes from this host, which firewalls let pass: so they must have seen and passed the client's own SYN before.
const priorityProxy = 250

// proxyHook names the maps and the chain that lead to the challenges at a hook.
func proxyHook(h Hook) Hook { return h + ".proxy" }

// provenHook names the maps that find the policy of a proven connection. A port may be guarded for this host and for
// those behind it.
func provenHook(p policy.Path) Hook { return HookOutput + "." + Hook(p) }

// proxyChain adds the base chain that answers the SYNs that were kept from conntrack.
func (c *compiler) proxyChain(hook Hook, management []Rule) {
	chain := Chain{Name: string(proxyHook(hook)), Address: pipelineAddress, Hook: hook, Priority: priorityProxy}
	chain.Rules = append(chain.Rules, c.rule(pipelineAddress, MatchEstablished{}, Verdict{Kind: Accept}))
	// The proxy would swallow the packets of an administrator's connection that conntrack does not know.
	chain.Rules = append(chain.Rules, management...)
	byInterface, others := c.lookups(proxyHook(hook))
	for _, m := range append(byInterface, others...) {
		chain.Rules = append(chain.Rules, c.rule(pipelineAddress, m))
	}
	c.out.Chains = append(c.out.Chains, chain)
}

// priorityAnswers is the raw table's, before conntrack.
const priorityAnswers = -300

// answerChain keeps the proxy's answers from conntrack, which would look each up and find no connection: a fifth of what
// a forged SYN costs. They are told by their window of zero (synproxy_send_client_synack), which keeps the client
// silent until the service has answered; TCP itself never opens with one.
func (c *compiler) answerChain() {
	c.out.Chains = append(c.out.Chains, Chain{
		Name: "output.answers", Address: pipelineAddress, Hook: HookOutput, Priority: priorityAnswers,
		Rules: []Rule{c.rule(pipelineAddress, MatchProxyAnswer{}, NoTrack{})},
	})
}

// provenLookups adds what finds the policy of a proven connection.
func (c *compiler) provenLookups(chain *Chain) {
	for _, path := range []policy.Path{policy.PathInput, policy.PathForward} {
		_, lookups := c.lookups(provenHook(path))
		for _, m := range lookups {
			chain.Rules = append(chain.Rules, c.rule(pipelineAddress, MatchLocal{Negate: path == policy.PathForward}, m))
		}
	}
}

// resetHook names the maps that find the policy of a proven connection on loopback.
const resetHook = HookInput + ".proven"

// provenOnLoopback gives the rules for what a synproxy opens to a local service; its address is not the host's.
func (c *compiler) provenOnLoopback() []Rule {
	var rules []Rule
	_, lookups := c.lookups(resetHook)
	for _, m := range lookups {
		rules = append(rules, c.rule(pipelineAddress, MatchLoopback{}, MatchLocalSource{Negate: true}, m))
	}
	if c.loopback[HookInput] && c.proxied[HookInput] {
		// A policy that names loopback means the host's own connections.
		rules = append(rules, c.rule(pipelineAddress, MatchLoopback{}, MatchLocalSource{Negate: true}, Verdict{Kind: Accept}))
	}
	return rules
}

// tells says whether the limit refuses a proven connection with a RST.
func (l *limit) tells() bool { return l.action == policy.ActionReset && l.Path == policy.PathInput }

// proven adds the limits for connections that a synproxy opens, on the meters of the unproven ones.
func (s *service) proven(limits []*limit, accepted Count) error {
	if err := s.provenUnique(); err != nil {
		return err
	}
	// The interface that the client came in by is not known any more.
	anywhere := *s.Policy
	anywhere.Interfaces = nil
	var drop, reset []*limit
	for _, l := range limits {
		if l.tells() {
			reset = append(reset, l)
		} else {
			drop = append(drop, l)
		}
	}
	s.limit(drop, (*limit).refuse, (*limit).overflowDrop)
	if len(reset) == 0 {
		s.add(s.address, accepted)
	}
	s.close(s.address + ".proven")
	s.dispatchTo(provenHook(s.Path), &anywhere, s.address+".proven")
	if len(reset) > 0 {
		s.limit(reset, (*limit).refuse, (*limit).overflowDrop)
		s.add(s.address, accepted, Verdict{Kind: Accept})
		s.close(s.address + ".proven.reset")
		s.dispatchTo(resetHook, &anywhere, s.address+".proven.reset")
	}
	return nil
}

// provenUnique makes sure that ports and addresses tell the policy of a proven connection. policy.Load has refused what
// overlaps in everything, so only policies that name interfaces can be alike in the rest.
func (s *service) provenUnique() error {
	if len(s.Interfaces) == 0 {
		return nil
	}
	for i := range s.bundle.Policies {
		if len(s.bundle.Policies[i].Interfaces) == 0 {
			continue
		}
		other := &service{compiler: s.compiler, Policy: &s.bundle.Policies[i]}
		other.monitor = other.Mode != policy.ModeEnforce
		if other.Name != s.Name && other.Path == s.Path && other.challenges() && samePlaces(s.Policy, other.Policy) {
			return &CompileError{Address: s.floodAddress(), Range: s.SYNFlood.Range, Reason: fmt.Sprintf(
				"policy.%s challenges on the same ports and addresses, and once proven the interface no longer tells a connection's policy: "+
					"make them one policy, name different addresses, or set protect = \"cookies\" in one of them", other.Name)}
		}
	}
	return nil
}

// samePlaces says whether two policies cover the same port of the same address, on whatever interface.
func samePlaces(a, b *policy.Policy) bool {
	ports := slices.ContainsFunc(a.Ports, func(p policy.PortRange) bool {
		return slices.ContainsFunc(b.Ports, func(q policy.PortRange) bool { return p.First <= q.Last && q.First <= p.Last })
	})
	if !ports || len(a.Addresses) == 0 || len(b.Addresses) == 0 {
		return ports && len(a.Addresses) == len(b.Addresses)
	}
	for _, p := range a.Addresses {
		for _, q := range b.Addresses {
			if p.Overlaps(q) {
				return true
			}
		}
	}
	return false
}
