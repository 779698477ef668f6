package enforcer

import (
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

// outcome is how the policy refuses a packet, and under which address.
type outcome struct {
	address string
	counter Count
	refusal Statement
	strikes bool // counts towards a ban
}

// refuse ends a rule with the outcome. Where a refusal is also logged or counts towards a ban it takes several rules;
// they get a chain, once.
func (s *service) refuse(o outcome) []Statement {
	strikes := o.strikes && s.Ban != nil
	if s.Log == nil && !strikes {
		return []Statement{o.counter, o.refusal}
	}
	chain := o.address + ".refused"
	if !s.refused[chain] {
		s.refused[chain] = true
		var rules []Rule
		if strikes {
			rules = append(rules, s.strikeRules(o.address)...)
		}
		if s.Log != nil {
			rules = append(rules, s.logRule(o.address))
		}
		s.chain(chain, o.address, append(rules, s.rule(o.address, o.counter, o.refusal)))
	}
	return []Statement{Verdict{Kind: Goto, Chain: chain}}
}

// logRule samples what is refused under an address.
func (s *service) logRule(address string) Rule {
	// policy.Load has checked that the rate can be held.
	over, _ := tokenBucket(s.Log.Rate, s.Log.Burst)
	return s.rule(address, Limit{LimitOver: over, Under: true},
		LogPacket{Prefix: address + ": ", Nflog: s.Log.Target == policy.LogNflog, Group: s.Log.Group})
}

// sourceKeys are the keys of a set of sources in each family, masked to the given prefixes.
func sourceKeys(ipv4Prefix, ipv6Prefix int, size uint32) []meterKey {
	return []meterKey{
		{"v4", Field{Name: IPSaddr, Prefix: ipv4Prefix}, size},
		{"v6", Field{Name: IP6Saddr, Prefix: ipv6Prefix}, size},
	}
}

// sourceSets declares a set of sources in each family, filled by rules.
func (s *service) sourceSets(name, address string, keys []meterKey, timeout time.Duration) {
	for _, key := range keys {
		s.out.Sets = append(s.out.Sets, Set{
			Name: name + "." + key.suffix, Address: address, Key: []KeyType{key.field.Name.KeyType()},
			Dynamic: true, Timeout: timeout, Expires: timeout == 0, Size: key.size,
		})
	}
}
