package policy

import (
	"fmt"
	"math"

	"github.com/hashicorp/hcl/v2"
)

var (
	connectionSchema = &hcl.BodySchema{Attributes: append([]hcl.AttributeSchema{{Name: "max", Required: true}, {Name: "per"}}, groupingArguments...)}
	rateSchema       = &hcl.BodySchema{Attributes: append([]hcl.AttributeSchema{
		{Name: "rate", Required: true}, {Name: "burst"}, {Name: "window"}, {Name: "per"},
	}, groupingArguments...)}
)

func (l *loader) decodeLimits(blocks hcl.Blocks, p *policyDecl, s settings) {
	for _, b := range blocks {
		if !l.once("policy "+p.Name+" "+b.Type, b.Type+" block", fmt.Sprintf("The policy %q has more than one %s block.", p.Name, b.Type), b.TypeRange) {
			continue
		}
		switch b.Type {
		case "connection_limit":
			l.decodeConnectionLimit(b, p, s)
		case "rate_limit":
			l.decodeRateLimit(b, p, s)
		case "syn_flood":
			l.decodeSYNFlood(b, p)
		case "ban":
			l.decodeBan(b, p, s)
		case "log":
			l.decodeLog(b, p)
		}
	}
}

func (l *loader) decodeConnectionLimit(b *hcl.Block, p *policyDecl, s settings) {
	a := l.args(b.Body, connectionSchema, "A connection_limit")
	most, _ := a.whole("max", 1, math.MaxUint32)
	s = l.limitSettings(a, b, p, s)
	p.Connection = &ConnectionLimit{Grouping: s.grouping(a.per()), Max: uint32(most), Action: s.action, Range: rangeOf(b.DefRange)}
}

func (l *loader) decodeRateLimit(b *hcl.Block, p *policyDecl, s settings) {
	a := l.args(b.Body, rateSchema, "A rate_limit")
	r := &RateLimit{Window: WindowToken, Range: rangeOf(b.DefRange)}
	r.Rate, _ = a.rate("rate", math.MaxUint32)
	if w, ok := a.enum("window", string(WindowToken), string(WindowFixed)); ok {
		r.Window = Window(w)
	}
	r.Burst = uint32(r.Rate.Count)
	if burst, ok := a.whole("burst", 1, math.MaxUint32); ok {
		r.Burst = uint32(burst)
		if r.Window == WindowFixed && burst != r.Rate.Count && r.Rate.Count > 0 {
			l.report.errorAt(a.rangeOf("burst"), "Burst with a fixed window",
				fmt.Sprintf("A fixed window admits %d connections, whether at once or not; leave \"burst\" out, or use window = \"token\".", r.Rate.Count),
				place{"the window is declared", a.rangeOf("window")})
		}
	}
	l.checkRateFits(a, r)
	s = l.limitSettings(a, b, p, s)
	r.Grouping, r.Action = s.grouping(a.per()), s.action
	p.Rate = r
}

// checkRateFits refuses a rate that the kernel cannot hold.
func (l *loader) checkRateFits(a args, r *RateLimit) {
	if r.Rate.Count == 0 {
		return
	}
	problem := ""
	if r.Window == WindowFixed {
		problem = fixedWindowProblem(r.Rate)
	} else {
		problem = bucketProblem(r.Rate, r.Burst)
	}
	if problem != "" {
		l.report.errorAt(a.rangeOf("rate"), "Rate the kernel cannot hold", problem)
	}
}

func (a args) per() Per {
	if per, ok := a.enum("per", string(PerSource), string(PerTotal)); ok {
		return Per(per)
	}
	return PerSource
}

// limitSettings adds what the limit itself says, and refuses a reset that nobody would understand.
func (l *loader) limitSettings(a args, b *hcl.Block, p *policyDecl, s settings) settings {
	s = a.settings(s)
	p.tables[b.Type] = b.DefRange
	if a.has("table_size") {
		p.tables[b.Type] = a.rangeOf("table_size")
	}
	if s.action == ActionReset && p.Protocol != TCP {
		detail := fmt.Sprintf("Only TCP knows a reset; the policy %q is for %s. Use action = \"drop\".", p.Name, p.Protocol)
		l.report.errorAt(s.actionRange, "Reset outside TCP", detail, place{"the limit is declared", b.DefRange})
	}
	return s
}
