package policy

import (
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// blockDecl is a block of a policy as it is written.
type blockDecl struct {
	args
	rng hcl.Range
}

// at is where an argument's value stands, or the block when the argument is left to its default.
func (b blockDecl) at(name string) hcl.Range {
	if b.has(name) {
		return b.rangeOf(name)
	}
	return b.rng
}

// Arguments of syn_flood that only a protection of some kind looks at.
var (
	autoArguments      = []string{"threshold", "rate"}
	challengeArguments = []string{"mss", "mss_ipv6", "wscale", "sack", "timestamp"}
)

var synFloodSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: "protect"}, {Name: "threshold"}, {Name: "rate"}, {Name: "mss"}, {Name: "mss_ipv6"}, {Name: "wscale"}, {Name: "sack"}, {Name: "timestamp"},
}}

// The maximum segment sizes that an announcement can hold and make sense: what every host takes (RFC 9293, RFC 8200)
// up to what the largest packet carries.
const (
	minMSS4, maxMSS4 = 536, math.MaxUint16 - 40
	minMSS6, maxMSS6 = 1220, math.MaxUint16 - 20
)

// maxWScale is the largest window scale that RFC 7323 knows.
const maxWScale = 14

// defaultSYNFlood is what an empty syn_flood block means. Below the threshold nobody pays for a flood that is not there;
// the rate is where a sampled drop was measured to begin to be cheaper than challenges.
func (l *loader) defaultSYNFlood(p *policyDecl, at hcl.Range) *SYNFlood {
	f := &SYNFlood{
		Protect: ProtectAuto, Threshold: Rate{500, time.Second}, Rate: Rate{24000, time.Second},
		WScale: 7, SACK: true, Range: rangeOf(at),
	}
	f.MSS4, f.MSS6 = deriveMSS(l.opts.Facts.MTUs, p.Interfaces)
	return f
}

// deriveMSS takes the headers without options from the smallest MTU of the interfaces, or of all but loopback when none
// are named. An interface that is not there yet counts as Ethernet.
func deriveMSS(mtus map[string]int, interfaces []string) (ipv4, ipv6 uint16) {
	const ethernet = 1500
	smallest := 0
	consider := func(mtu int) {
		if mtu <= 0 {
			mtu = ethernet
		}
		if smallest == 0 || mtu < smallest {
			smallest = mtu
		}
	}
	for _, name := range interfaces {
		consider(mtus[name])
	}
	if len(interfaces) == 0 {
		for name, mtu := range mtus {
			if name != "lo" {
				consider(mtu)
			}
		}
	}
	if smallest == 0 {
		smallest = ethernet
	}
	return uint16(min(max(smallest-40, minMSS4), maxMSS4)), uint16(min(max(smallest-60, minMSS6), maxMSS6))
}

func (l *loader) decodeSYNFlood(b *hcl.Block, p *policyDecl) {
	d := blockDecl{l.args(b.Body, synFloodSchema, "A syn_flood"), b.DefRange}
	p.blocks[b.Type] = d
	f := l.defaultSYNFlood(p, b.DefRange)
	p.SYNFlood = f
	if p.Protocol != TCP {
		l.report.errorAt(b.TypeRange, "syn_flood outside TCP",
			fmt.Sprintf("Only TCP has SYNs; the policy %q is for %s. Leave the syn_flood block out.", p.Name, p.Protocol))
	}
	if v, ok := d.enum("protect", string(ProtectAuto), string(ProtectSynproxy), string(ProtectCookies), string(ProtectOff)); ok {
		f.Protect = Protect(v)
	}
	if r, ok := d.bucket("threshold"); ok {
		f.Threshold = r
	}
	if r, ok := d.bucket("rate"); ok {
		f.Rate = r
	}
	if n, ok := d.whole("mss", minMSS4, maxMSS4); ok {
		f.MSS4 = uint16(n)
	}
	if n, ok := d.whole("mss_ipv6", minMSS6, maxMSS6); ok {
		f.MSS6 = uint16(n)
	}
	if n, ok := d.whole("wscale", 0, maxWScale); ok {
		f.WScale = uint8(n)
	}
	if v, ok := d.boolean("sack"); ok {
		f.SACK = v
	}
	if v, ok := d.boolean("timestamp"); ok {
		f.Timestamp = v
	}
	if f.Protect != ProtectAuto {
		l.refuseIgnored(d, f.Protect, "is for protect = \"auto\"", autoArguments)
	}
	if !f.Protect.Challenges() {
		l.refuseIgnored(d, f.Protect, "describes challenges, which protect = \"auto\" and \"synproxy\" make", challengeArguments)
	}
	l.checkTimestamp(d, p)
}

// refuseIgnored reports arguments that the chosen protection would not look at.
func (l *loader) refuseIgnored(d blockDecl, chosen Protect, use string, arguments []string) {
	for _, name := range arguments {
		if d.has(name) {
			l.report.errorAt(d.content.Attributes[name].NameRange, "Argument without effect",
				fmt.Sprintf("%q %s; with protect = %q nothing would heed it. Leave it out.", name, use, chosen),
				place{"the protection is declared", d.at("protect")})
		}
	}
}

// checkTimestamp warns of timestamps in front of a service on this host: the proxy and the service each have a clock of
// their own, and clients discard what the second one says until it has caught up with the first.
func (l *loader) checkTimestamp(d blockDecl, p *policyDecl) {
	if f := p.SYNFlood; f.Timestamp && f.Protect.Challenges() && p.Path == PathInput {
		l.report.warnAt(d.at("timestamp"), "Timestamps in front of a local service",
			"A challenged connection to a service on this host stalls for about a second when the challenge carries timestamps. Leave \"timestamp\" at false with path = \"input\".")
	}
}

// boolean reads true or false, or text that is one of them.
func (a args) boolean(name string) (value, ok bool) {
	v, rng, _, ok := a.value(name)
	if !ok {
		return false, false
	}
	switch describe(v) {
	case "true", `the string "true"`:
		return true, true
	case "false", `the string "false"`:
		return false, true
	}
	a.wrongType(name, rng, "true or false", v)
	return false, false
}
