package enforcer

import (
	"fmt"
	"strings"
)

// The statements print as `nft list` of 1.0.6 prints them, so that what a person sees with nft and what `tcpguard show
// --format nft` says are the same text.

func negation(negate bool) string {
	if negate {
		return "!= "
	}
	return ""
}

func (MatchEstablished) nft() string { return "ct state established,related" }

func (s MatchLoopback) nft() string { return `iif ` + negation(s.Negate) + `"lo"` }

func (s MatchSYN) nft() string {
	return "tcp flags " + negation(s.Negate) + "syn / fin,syn,rst,ack"
}

func (s MatchLocal) nft() string { return "fib daddr type " + negation(s.Negate) + "local" }

func (s MatchSet) nft() string {
	return fieldsText(s.Fields) + " " + negation(s.Negate) + "@" + s.Set
}

func (s VerdictMap) nft() string { return fieldsText(s.Fields) + " vmap @" + s.Map }

func (s Meter) nft() string {
	verb := "add"
	if s.Update {
		verb = "update"
	}
	over := fmt.Sprintf("ct count over %d", s.ConnectionsOver)
	switch {
	case s.Over != nil:
		over = s.Over.nft()
	case s.Packets:
		over = "counter"
	}
	return fmt.Sprintf("%s @%s { %s %s }", verb, s.Set, s.Field, over)
}

func (l LimitOver) nft() string {
	return fmt.Sprintf("limit rate over %d/%s burst %d packets", l.Rate, l.Unit, l.Burst)
}

// String gives the unit's name as nft prints it.
func (u Unit) String() string {
	switch u {
	case Second:
		return "second"
	case Minute:
		return "minute"
	case Hour:
		return "hour"
	case Day:
		return "day"
	default:
		return "week"
	}
}

func (s Count) nft() string { return fmt.Sprintf("counter name %q", s.Counter) }

func (ResetTCP) nft() string { return "reject with tcp reset" }

func (v Verdict) nft() string {
	if v.Chain != "" {
		return string(v.Kind) + " " + v.Chain
	}
	return string(v.Kind)
}

// String gives the field as nft prints it, with its mask when only a prefix is kept.
func (f Field) String() string {
	width := f.Name.addressBits()
	if f.Prefix == 0 || f.Prefix == width {
		return string(f.Name)
	}
	return fmt.Sprintf("%s & %s", f.Name, maskText(width, f.Prefix))
}

func fieldsText(fields []Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.String()
	}
	return strings.Join(parts, " . ")
}

// text gives a rule as nft lists it. nft shows the protocol a reset depends on at the head of the rule.
func (r Rule) text() string {
	parts := make([]string, 0, len(r.Statements)+2)
	for _, s := range r.Statements {
		if _, reset := s.(ResetTCP); reset {
			parts = append([]string{"meta l4proto tcp"}, parts...)
		}
		parts = append(parts, s.nft())
	}
	if r.Comment != "" {
		parts = append(parts, fmt.Sprintf("comment %q", r.Comment))
	}
	return strings.Join(parts, " ")
}
