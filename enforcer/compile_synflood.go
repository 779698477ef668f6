package enforcer

import (
	"fmt"
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

const (
	// challengeTime is how long a source that exceeded a limit has to prove itself with every connection.
	challengeTime = time.Minute
	// hotTime is how long a source far above every sensible rate is dropped before it is measured again.
	hotTime = time.Second
	// engagedTime is how long a policy's SYNs are challenged without being measured once they exceeded its threshold.
	engagedTime = time.Second
	// engagedTable leaves room for elements that have expired and are not collected yet: the kernel counts them.
	engagedTable = 64
	// floodTable is how many challenged, and how many hot sources are remembered in each family.
	floodTable = 65536
	// sampleOf: one SYN in so many is metered for the hot set, so that the meter costs little under a flood.
	sampleOf = 16
)

func (s *service) floodAddress() string { return s.address + ".syn_flood" }

// challenges says whether connections have to prove their source. In monitor mode nobody is made to.
func (s *service) challenges() bool {
	return s.SYNFlood != nil && s.SYNFlood.Protect.Challenges() && !s.monitor
}

// synFlood adds what a SYN meets before conntrack, and the proxy that challenges what was kept from it.
//
// The idea: an unproven excess is challenged, only a proven excess is punished. An innocent whose address is spoofed
// pays one SYN retransmission, nobody can get it banned, and calm traffic pays two lookups.
func (s *service) synFlood() error {
	f := s.SYNFlood
	if f == nil {
		return nil
	}
	address := s.floodAddress()
	s.resource(address, f.Range, s.floodAttributes()...)
	if !s.challenges() {
		return nil
	}
	challenged := s.counter(address+".challenged", address)
	s.addEarly(address, MatchSYN{Negate: true}, Verdict{Kind: Accept})
	if f.Protect == policy.ProtectSynproxy {
		s.ours()
		s.addEarly(address, challenged, NoTrack{}, Verdict{Kind: Accept})
	} else if err := s.earlyAuto(challenged); err != nil {
		return &CompileError{Address: address, Reason: err.Error(), Range: f.Range}
	}
	s.proxy()
	return nil
}

// ours lets pass what is not for this policy's path, unless the policy names its addresses.
func (s *service) ours() {
	if len(s.Addresses) == 0 {
		s.addEarly(s.floodAddress(), MatchLocal{Negate: s.Path == policy.PathInput}, Verdict{Kind: Accept})
	}
}

func (s *service) floodAttributes() []Attribute {
	f := s.SYNFlood
	a := []Attribute{{Name: "protect", Value: string(f.Protect)}}
	if f.Protect == policy.ProtectAuto {
		a = append(a, Attribute{Name: "threshold", Value: rateText(f.Threshold)}, Attribute{Name: "rate", Value: rateText(f.Rate)})
	}
	if f.Protect.Challenges() {
		a = append(a,
			Attribute{Name: "mss", Value: fmt.Sprintf("%d, %d", f.MSS4, f.MSS6)},
			Attribute{Name: "wscale", Value: fmt.Sprint(f.WScale)},
			Attribute{Name: "sack", Value: fmt.Sprint(f.SACK)},
			Attribute{Name: "timestamp", Value: fmt.Sprint(f.Timestamp)})
	}
	return a
}

// earlyAuto decides for a SYN: drop the flooder, challenge who exceeded a limit, challenge what exceeds the threshold.
func (s *service) earlyAuto(challenged Count) error {
	address := s.floodAddress()
	threshold, err := tokenBucket(s.SYNFlood.Threshold, burstOf(s.SYNFlood.Threshold))
	if err != nil {
		return fmt.Errorf("threshold: %w", err)
	}
	if err := s.hotSources(); err != nil {
		return fmt.Errorf("rate: %w", err)
	}
	// Under a flood of forged sources every SYN would go through the threshold's bucket, whose lock all processors share.
	engaged := address + ".engaged"
	s.out.Sets = append(s.out.Sets, Set{
		Name: engaged, Address: address, Key: []KeyType{KeyL4Proto}, Dynamic: true, Timeout: engagedTime, Size: engagedTable,
	})
	s.addEarly(address, MatchSet{Fields: []Field{{Name: L4Proto}}, Set: engaged}, challenged, NoTrack{}, Verdict{Kind: Accept})
	set := address + ".challenge"
	s.sourceSets(set, address, s.floodKeys(), challengeTime)
	for _, key := range s.floodKeys() {
		// Refreshed for as long as its SYNs go on: were it forgotten under them, they would take its share anew.
		s.addEarly(address, MatchSet{Fields: []Field{key.field}, Set: set + "." + key.suffix},
			Remember{Set: set + "." + key.suffix, Field: key.field, Update: true}, challenged, NoTrack{}, Verdict{Kind: Accept})
	}
	s.addEarly(address, Limit{LimitOver: threshold}, challenged, NoTrack{},
		Remember{Set: engaged, Field: Field{Name: L4Proto}}, Verdict{Kind: Accept})
	return nil
}

// hotSources drops a source for a moment when its SYNs, or a sample of them, show that it is over the rate. Who is hot is
// dropped before the look into the routing table, which costs more than all the rest.
func (s *service) hotSources() error {
	address := s.floodAddress()
	dropped := s.counter(address+".hot", address)
	rate, sampled := s.SYNFlood.Rate, s.SYNFlood.Rate.Count >= 100*sampleOf
	burst := burstOf(rate)
	if sampled {
		rate.Count /= sampleOf
		// What is let through each time a flooder is measured anew costs the full price; a tenth of the interval is
		// enough samples to tell.
		burst = max(burstOf(rate)/10, 1)
	}
	over, err := tokenBucket(rate, burst)
	if err != nil {
		return err
	}
	hot, meter := address+".hot", address+".meter."+shortHash(over.nft())
	s.sourceSets(hot, address, s.floodKeys(), hotTime)
	s.sourceSets(meter, address, s.floodKeys(), refill(rate, burst))
	for _, key := range s.floodKeys() {
		s.addEarly(address, MatchSet{Fields: []Field{key.field}, Set: hot + "." + key.suffix}, dropped, Verdict{Kind: Drop})
	}
	s.ours()
	var measure []Rule
	for _, key := range s.floodKeys() {
		measure = append(measure, s.rule(address,
			Meter{Set: meter + "." + key.suffix, Field: key.field, Over: &over, Update: true},
			Remember{Set: hot + "." + key.suffix, Field: key.field}, dropped, Verdict{Kind: Drop}))
	}
	if !sampled {
		s.early = append(s.early, measure...)
		return nil
	}
	// The die is thrown once for both families.
	s.chain(address+".sampled", address, measure)
	s.addEarly(address, Sample{Of: sampleOf}, Verdict{Kind: Jump, Chain: address + ".sampled"})
	return nil
}

// burstOf is a rate's count as a bucket's size.
func burstOf(r policy.Rate) uint32 { return uint32(min(r.Count, 1<<31)) }

func (s *service) floodKeys() []meterKey { return sourceKeys(32, 64, floodTable) }

// proxy takes the ACKs that prove, before a firewall that drops what conntrack calls invalid sees them, and lets the
// SYNs that were kept from conntrack through to the chain that challenges them, behind every firewall (see proxyChain).
// An ACK that proves nothing belongs to no connection.
func (s *service) proxy() {
	address := s.floodAddress()
	s.add(address, MatchUnproven{}, MatchSYN{}, Verdict{Kind: Accept})
	var challenges []Rule
	for _, ipv6 := range []bool{false, true} {
		s.add(address, MatchUnproven{}, MatchACK{}, MatchFamily{IPv6: ipv6}, s.synProxy(ipv6))
		challenges = append(challenges, s.rule(address, MatchUnproven{}, MatchSYN{}, MatchFamily{IPv6: ipv6}, s.synProxy(ipv6)))
	}
	s.add(address, MatchInvalid{}, s.counter(address+".invalid", address), Verdict{Kind: Drop})

	s.chain(s.address+".proxy", s.address, challenges)
	hook := hookOf(s.Path)
	s.proxied[hook] = true
	s.dispatchTo(proxyHook(hook), s.Policy, s.address+".proxy")
}

func (s *service) synProxy(ipv6 bool) SynProxy {
	f := s.SYNFlood
	mss := f.MSS4
	if ipv6 {
		mss = f.MSS6
	}
	return SynProxy{MSS: mss, WScale: f.WScale, SACK: f.SACK, Timestamp: f.Timestamp}
}

// challengeChain ends an unproven excess: this SYN is dropped, the client's next one meets the proxy.
func (s *service) challengeChain() {
	address := s.floodAddress()
	excess := s.counter(address+".excess", address)
	var rules []Rule
	if s.Ban != nil && s.Ban.Proof == policy.ProofNone {
		rules = s.strikeRules(address)
	}
	if s.SYNFlood.Protect == policy.ProtectAuto {
		for _, key := range s.floodKeys() {
			rules = append(rules, s.rule(address, Remember{Set: address + ".challenge." + key.suffix, Field: key.field, Update: true}))
		}
	}
	s.chain(address+".challenge", address, append(rules, s.rule(address, excess, Verdict{Kind: Drop})))
}
