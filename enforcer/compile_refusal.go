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
	strikes bool   // counts towards a ban
	variant string // of the chain, where one address refuses in several ways
}

// counts says whether refusals count towards a ban: where a handshake must prove them, only those of policies that
// challenge. In monitor mode nobody is challenged, and what would have counted is counted.
func (s *service) counts() bool {
	return s.Ban != nil && (s.Ban.Proof == policy.ProofNone || s.challenges() || s.monitor)
}

// refuse ends a rule with the outcome. Where a refusal is also logged or counts towards a ban it takes several rules;
// they get a chain, once.
func (s *service) refuse(o outcome) []Statement {
	strikes := o.strikes && s.counts()
	if s.Log == nil && !strikes && !s.monitor {
		return []Statement{o.counter, o.refusal}
	}
	chain := o.address + ".refused"
	if o.variant != "" {
		chain += "." + o.variant
	}
	if !s.refused[chain] {
		s.refused[chain] = true
		var rules []Rule
		if s.monitor {
			rules = append(rules, s.shadowRules(o.address)...)
		}
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

// In monitor mode the policy also remembers, for a while, whom it would have refused how often: those are the clients to
// look at before it is enforced.
const (
	shadowTime  = time.Hour
	shadowTable = 65536 // sources of each family
)

// shadowRules count a refusal that is not made under its source. Sources are single addresses, and IPv6 /64 prefixes.
func (s *service) shadowRules(address string) []Rule {
	set, keys := s.address+".shadow", sourceKeys(32, 64, shadowTable)
	if !s.refused[set] {
		s.refused[set] = true
		s.sourceSets(set, s.address, keys, shadowTime)
	}
	var rules []Rule
	for _, key := range keys {
		rules = append(rules, s.rule(address, Meter{Set: set + "." + key.suffix, Field: key.field, Packets: true, Update: true}))
	}
	return rules
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
