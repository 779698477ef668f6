package policy

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/hashicorp/hcl/v2"
)

var (
	banSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
		{Name: "after", Required: true}, {Name: "for", Required: true}, {Name: "escalate"}, {Name: "proof"},
		{Name: "ipv4_prefix"}, {Name: "ipv6_prefix"}, {Name: "table_size"},
	}}
	logSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "rate"}, {Name: "burst"}, {Name: "target"}, {Name: "group"}}}
)

// maxBanLevels bounds how many terms a ban can have: each is a set in the kernel.
const maxBanLevels = 8

func (l *loader) decodeBan(b *hcl.Block, p *policyDecl, s settings) {
	d := blockDecl{l.args(b.Body, banSchema, "A ban"), b.DefRange}
	p.blocks[b.Type] = d
	s = d.settings(s)
	ban := &Ban{
		Proof: ProofHandshake, IPv4Prefix: s.ipv4Prefix, IPv6Prefix: s.ipv6Prefix, TableSize: s.tableSize, Range: rangeOf(b.DefRange),
	}
	p.Ban = ban
	ban.After, _ = d.violations("after")
	ban.For, _ = d.term("for")
	ban.Escalate = l.escalation(d, ban.For)
	if v, ok := d.enum("proof", string(ProofHandshake), string(ProofNone)); ok {
		ban.Proof = Proof(v)
	}
}

// violations reads how many violations within which time are too many.
func (a args) violations(name string) (Rate, bool) {
	r, ok := a.rate(name, math.MaxUint32)
	if !ok {
		return r, false
	}
	if problem := fixedWindowProblem(r); problem != "" {
		a.l.report.errorAt(a.rangeOf(name), "Rate the kernel cannot hold", problem)
		return Rate{}, false
	}
	return r, true
}

// term reads how long a ban lasts. The kernel of every supported version keeps timeouts of rules exactly up to
// maxInterval, which parseDuration enforces.
func (a args) term(name string) (time.Duration, bool) {
	text, rng, ok := a.text(name)
	if !ok {
		return 0, false
	}
	d, err := parseDuration(text)
	if err != nil {
		a.l.report.errorAt(rng, "Bad duration", fmt.Sprintf("%s.", err))
		return 0, false
	}
	if d%time.Second != 0 {
		a.l.report.errorAt(rng, "Bad duration", fmt.Sprintf("%q must be whole seconds, from \"1s\" to \"%dd\"; this is %s.", name, maxInterval/(24*time.Hour), d))
		return 0, false
	}
	return d, true
}

// escalation reads the multiples of the term for the first, second, ... ban of one source.
func (l *loader) escalation(d blockDecl, term time.Duration) []uint32 {
	const name, example = "escalate", "[1, 6, 144]"
	list, rng, ok := d.elements(name, example)
	if !ok {
		return []uint32{1}
	}
	if len(list) == 0 || len(list) > maxBanLevels {
		l.report.errorAt(rng, "Bad escalation", fmt.Sprintf("%q holds 1 to %d numbers, such as %s; this has %d.", name, maxBanLevels, example, len(list)))
		return []uint32{1}
	}
	most := big.NewInt(int64(maxInterval / max(term, time.Second)))
	var steps []uint32
	for _, e := range list {
		if e.value.IsNull() {
			l.report.errorAt(e.rng, "Wrong type", fmt.Sprintf("%q holds whole numbers, such as %s; this is null.", name, example))
			continue
		}
		n, problem := wholeFrom(e.value)
		switch {
		case problem != isWhole:
			l.report.errorAt(e.rng, "Wrong type", fmt.Sprintf("%q holds whole numbers, such as %s; this is %s.", name, example, describe(e.value)))
		case n != nil && n.Sign() <= 0:
			l.report.errorAt(e.rng, "Number out of range", fmt.Sprintf("%q multiplies \"for\", by at least 1; this is %s.", name, numberText(e.value)))
		case n == nil || n.Cmp(most) > 0:
			l.report.errorAt(e.rng, "Ban too long", fmt.Sprintf("A ban lasts at most %d days, and %s times \"for\" is longer.", maxInterval/(24*time.Hour), numberText(e.value)),
				place{"\"for\" is declared", d.at("for")})
		case len(steps) > 0 && uint32(n.Uint64()) <= steps[len(steps)-1]:
			l.report.errorAt(e.rng, "Bad escalation", fmt.Sprintf("%q rises from ban to ban, as %s does; %s follows %d.", name, example, numberText(e.value), steps[len(steps)-1]))
		default:
			steps = append(steps, uint32(n.Uint64()))
		}
	}
	return steps
}

func (l *loader) decodeLog(b *hcl.Block, p *policyDecl) {
	d := blockDecl{l.args(b.Body, logSchema, "A log"), b.DefRange}
	p.blocks[b.Type] = d
	log := &Log{Rate: Rate{5, time.Minute}, Target: LogKernel, Range: rangeOf(b.DefRange)}
	p.Log = log
	if r, ok := d.rate("rate", math.MaxUint32); ok {
		log.Rate = r
	}
	log.Burst = uint32(log.Rate.Count)
	if n, ok := d.whole("burst", 1, math.MaxUint32); ok {
		log.Burst = uint32(n)
	}
	if problem := bucketProblem(log.Rate, log.Burst); problem != "" {
		l.report.errorAt(d.at("rate"), "Rate the kernel cannot hold", problem)
	}
	if v, ok := d.enum("target", string(LogKernel), string(LogNflog)); ok {
		log.Target = LogTarget(v)
	}
	if n, ok := d.whole("group", 0, math.MaxUint16); ok {
		log.Group = uint16(n)
	}
	if log.Target != LogNflog && d.has("group") {
		l.report.errorAt(d.content.Attributes["group"].NameRange, "Argument without effect",
			"\"group\" is a netlink group of target = \"nflog\"; the kernel log has none. Leave it out, or choose that target.")
	}
}
