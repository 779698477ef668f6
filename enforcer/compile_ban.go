package enforcer

import (
	"fmt"
	"strings"
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

// hostBan names the objects of the bans that hold for the whole host and are made by hand (`tcpguard ban add`). They
// are part of the pipeline: nothing declares them.
const hostBan = "ban"

// hostBanSize is how many addresses, and how many prefixes, of each family can be banned by hand at one time.
const hostBanSize = 1 << 20

// hostBans declares the sets of bans made by hand and gives the rules that drop who is in them. Nothing is compared of
// what they hold: that is live state.
func (c *compiler) hostBans() []Rule {
	count := c.counter(hostBan, pipelineAddress)
	var rules []Rule
	for _, set := range []struct {
		suffix   string
		field    FieldName
		interval bool
	}{{"v4", IPSaddr, false}, {"v4.net", IPSaddr, true}, {"v6", IP6Saddr, false}, {"v6.net", IP6Saddr, true}} {
		name := hostBan + "." + set.suffix
		size := uint32(hostBanSize)
		if set.interval {
			size *= 2 // a range is two elements, see partRoom
		}
		c.out.Sets = append(c.out.Sets, Set{
			Name: name, Address: pipelineAddress, Key: []KeyType{set.field.KeyType()}, Interval: set.interval, Expires: true, Size: size,
		})
		rules = append(rules, c.rule(pipelineAddress,
			MatchSet{Fields: []Field{{Name: set.field}}, Set: name}, count, Verdict{Kind: Drop}))
	}
	return rules
}

func (s *service) banAddress() string { return s.address + ".ban" }

func (s *service) banKeys() []meterKey {
	return sourceKeys(s.Ban.IPv4Prefix, s.Ban.IPv6Prefix, s.Ban.TableSize)
}

// ban drops banned sources before conntrack sees them, and declares the sets that strikes and bans live in. The names
// of the sets that hold bans never change, so no apply forgets one.
func (s *service) ban() error {
	b := s.Ban
	if b == nil {
		return nil
	}
	address := s.banAddress()
	s.resource(address, b.Range, s.banAttributes()...)
	if _, err := s.strikeLimit(); err != nil {
		return &CompileError{Address: address, Reason: err.Error(), Range: b.Range}
	}
	s.counter(address+".added", address)
	s.sourceSets(s.strikeSet(), address, s.banKeys(), tick(b.After.Interval))
	if s.monitor {
		return nil
	}
	dropped := s.counter(address, address)
	s.sourceSets(address, address, s.banKeys(), 0)
	for level := 1; level < len(b.Escalate); level++ {
		s.sourceSets(s.levelSet(level), address, s.banKeys(), 0)
	}
	for _, key := range s.banKeys() {
		// An allow list holds also within a group of sources that got itself banned.
		banned := append([]Statement{MatchSet{Fields: []Field{key.field}, Set: address + "." + key.suffix}}, s.notAllowed(key.field.Name)...)
		s.addEarly(address, append(banned, s.here(), dropped, Verdict{Kind: Drop})...)
		// Once more behind a NAT rule, as deny does.
		s.add(address, append(banned[:len(banned):len(banned)], dropped, Verdict{Kind: Drop})...)
	}
	s.sentenceChain()
	return nil
}

func (s *service) banAttributes() []Attribute {
	b := s.Ban
	steps := make([]string, len(b.Escalate))
	for i, e := range b.Escalate {
		steps[i] = fmt.Sprint(e)
	}
	return []Attribute{
		{Name: "after", Value: rateText(b.After)},
		{Name: "for", Value: timeText(b.For)},
		{Name: "escalate", Value: strings.Join(steps, ", ")},
		{Name: "proof", Value: string(b.Proof)},
		{Name: "ipv4_prefix", Value: fmt.Sprint(b.IPv4Prefix)},
		{Name: "ipv6_prefix", Value: fmt.Sprint(b.IPv6Prefix)},
		{Name: "table_size", Value: fmt.Sprint(b.TableSize)},
	}
}

// strikeLimit lets all violations but the last pass: the one that completes the count within the interval exceeds it.
func (s *service) strikeLimit() (LimitOver, error) {
	return fixedWindow(policy.Rate{Count: max(s.Ban.After.Count-1, 1), Interval: s.Ban.After.Interval})
}

// strikeSet is named after what its elements are born with, as every meter is.
func (s *service) strikeSet() string {
	b := s.Ban
	return s.banAddress() + ".strikes." + shortHash(fmt.Sprintf("after=%d/%d v4=%d v6=%d size=%d",
		b.After.Count, b.After.Interval, b.IPv4Prefix, b.IPv6Prefix, b.TableSize))
}

// levelSet remembers who has been banned that many times.
func (s *service) levelSet(level int) string { return fmt.Sprintf("%s.level%d", s.banAddress(), level) }

// strikeRules count a violation and hand over who has reached the number.
func (s *service) strikeRules(address string) []Rule {
	var rules []Rule
	over, _ := s.strikeLimit()
	for _, key := range s.banKeys() {
		var statements []Statement
		meter := Meter{Set: s.strikeSet() + "." + key.suffix, Field: key.field, Over: &over}
		if s.Ban.After.Count > 1 {
			statements = append(statements, meter)
		} else {
			statements = append(statements, MatchFamily{IPv6: key.field.Name == IP6Saddr})
		}
		if s.monitor {
			statements = append(statements, Count{Counter: s.banAddress() + ".added"}, Verdict{Kind: Accept})
		} else {
			statements = append(statements, Verdict{Kind: Goto, Chain: s.banAddress() + ".sentence"})
		}
		rules = append(rules, s.rule(address, statements...))
	}
	return rules
}

// sentenceChain bans the source, longer for a repeat offender. Offenders are remembered, from the end of their ban on,
// for as long as the longest ban.
func (s *service) sentenceChain() {
	b, address := s.Ban, s.banAddress()
	added := Count{Counter: address + ".added"}
	last := len(b.Escalate) - 1
	term := func(level int) time.Duration { return b.For * time.Duration(b.Escalate[level]) }
	var rules []Rule
	for level := last; level >= 0; level-- {
		for _, key := range s.banKeys() {
			var statements []Statement
			if level > 0 {
				statements = append(statements, MatchSet{Fields: []Field{key.field}, Set: s.levelSet(level) + "." + key.suffix})
			}
			if last > 0 {
				statements = append(statements, Remember{
					Set: s.levelSet(min(level+1, last)) + "." + key.suffix, Field: key.field, Timeout: term(level) + term(last), Update: true,
				})
			}
			statements = append(statements,
				Remember{Set: address + "." + key.suffix, Field: key.field, Timeout: term(level), Update: true})
			rules = append(rules, s.rule(address, append(statements, added, Verdict{Kind: Drop})...))
		}
	}
	if last > 0 {
		// The memory of offenders is full: a first ban needs none.
		for _, key := range s.banKeys() {
			rules = append(rules, s.rule(address,
				Remember{Set: address + "." + key.suffix, Field: key.field, Timeout: term(0), Update: true}, added, Verdict{Kind: Drop}))
		}
	}
	// The table of bans is full: the source stays free, and each excess is still refused.
	rules = append(rules, s.rule(address, s.counter(address+".full", address), Verdict{Kind: Drop}))
	s.chain(address+".sentence", address, rules)
}
