package policy

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// finishBan judges a ban once all blocks of its policy are known, and gives it the challenges that prove a source.
func (l *loader) finishBan(p *policyDecl) {
	if p.Ban == nil {
		return
	}
	d := p.blocks["ban"]
	l.checkBanLimits(p, d)
	l.checkBanWidth(p, d)
	if p.Ban.Proof == ProofNone {
		l.report.warnAt(d.at("proof"), "Ban without proof", fmt.Sprintf(
			"Anybody who forges an address can get its owner banned from the policy %q. Use proof = \"handshake\" where that matters.", p.Name))
		return
	}
	if p.Protocol != TCP {
		l.report.errorAt(d.at("proof"), "Handshake outside TCP", fmt.Sprintf(
			"Only TCP has handshakes; the policy %q is for %s. Use proof = \"none\", which lets a forged packet count as a violation, or leave the ban out.",
			p.Name, p.Protocol))
		return
	}
	if p.SYNFlood == nil {
		p.SYNFlood = l.defaultSYNFlood(p, d.rng)
		return
	}
	if !p.SYNFlood.Protect.Challenges() {
		l.report.errorAt(d.at("proof"), "Ban needs challenges", fmt.Sprintf(
			"With protect = %q no source proves itself, so proof = \"handshake\" would ban nobody. Use protect = \"auto\", or proof = \"none\" if forged SYNs may ban their victims.",
			p.SYNFlood.Protect), place{"the protection is declared", p.blocks["syn_flood"].at("protect")})
	}
}

// checkBanLimits refuses a ban that nothing can lead to, or only what others do.
func (l *loader) checkBanLimits(p *policyDecl, d blockDecl) {
	switch {
	case p.Connection == nil && p.Rate == nil:
		l.report.errorAt(d.rng, "Ban without limits", fmt.Sprintf(
			"A source is banned for going on to violate limits, and the policy %q has neither connection_limit nor rate_limit.", p.Name))
	case (p.Connection == nil || p.Connection.Per == PerTotal) && (p.Rate == nil || p.Rate.Per == PerTotal):
		l.report.errorAt(d.rng, "Ban without limits", fmt.Sprintf(
			"The limits of the policy %q count all sources together, so a source would be banned for what others do. Add a limit with per = \"source\".", p.Name))
	}
}

// checkBanWidth judges how many addresses one violator takes along.
func (l *loader) checkBanWidth(p *policyDecl, d blockDecl) {
	for _, g := range []struct {
		argument string
		bits     int
		wide     int          // what is wider holds many networks of many owners
		loopback netip.Prefix // with the internet's addresses in one group from this many bits down
		joins    int
	}{
		{"ipv4_prefix", p.Ban.IPv4Prefix, 16, netip.MustParsePrefix("127.0.0.0/8"), 7},
		{"ipv6_prefix", p.Ban.IPv6Prefix, 32, netip.MustParsePrefix("::1/128"), 2},
	} {
		at := d.at(g.argument)
		if g.bits <= g.joins {
			l.report.errorAt(at, "Ban covers loopback", fmt.Sprintf(
				"A source in the same /%d as %s would ban the addresses by which this host speaks with itself. Group by a longer %s.", g.bits, g.loopback, g.argument))
			continue
		}
		if g.bits >= g.wide {
			continue
		}
		if m, found := l.managementWithin(g.bits, g.loopback.Addr().Is4()); found {
			l.report.errorAt(at, "Ban covers management", fmt.Sprintf(
				"One violator in the /%d of the management source %s would get all of it banned. Group by a longer %s.", g.bits, m.Prefix, g.argument),
				place{"management is declared", m.rng})
			continue
		}
		l.report.warnAt(at, "Ban of whole networks", fmt.Sprintf(
			"One violator gets its whole /%d banned, which is many networks of many owners. Group by a longer %s.", g.bits, g.argument))
	}
}

// managementWithin finds a management source that is smaller than a group of that many bits.
func (l *loader) managementWithin(bits int, ipv4 bool) (writtenPrefix, bool) {
	if l.management != nil {
		for _, m := range l.management.written {
			if m.Addr().Is4() == ipv4 && m.Bits() > bits {
				return m, true
			}
		}
	}
	return writtenPrefix{}, false
}

// checkTables warns of tables that forged SYNs can fill although the policy challenges: whoever stays just below the
// threshold is not challenged, and each forged source takes a place for the life of an element.
func (l *loader) checkTables(p *policyDecl) {
	if p.SYNFlood == nil || p.SYNFlood.Protect != ProtectAuto || p.Mode != ModeEnforce {
		return
	}
	if c := p.Connection; c != nil && c.Per == PerSource {
		// net.netfilter.nf_conntrack_tcp_timeout_syn_recv, as set for policies that challenge.
		l.checkTable(p, "connection_limit", c.TableSize, 10*time.Second)
	}
	if r := p.Rate; r != nil && r.Per == PerSource && r.Rate.Count > 0 {
		life := r.Rate.Interval
		if r.Window == WindowToken {
			life = time.Duration(min(float64(r.Rate.Interval)*float64(r.Burst)/float64(r.Rate.Count), math.MaxInt64/2))
		}
		l.checkTable(p, "rate_limit", r.TableSize, life)
	}
}

func (l *loader) checkTable(p *policyDecl, limit string, size uint32, life time.Duration) {
	threshold := p.SYNFlood.Threshold
	second := float64(threshold.Count) / threshold.Interval.Seconds()
	sources := math.Ceil(second * life.Seconds())
	if sources <= float64(size) {
		return
	}
	advice := fmt.Sprintf("lower \"threshold\" to %s", slowerRate(float64(size)/life.Seconds()))
	if limit == "rate_limit" {
		advice = "shorten its time, or " + advice
	}
	if sources <= maxTableSize {
		advice = fmt.Sprintf("raise \"table_size\" to %.0f, or ", sources) + advice
	}
	l.report.warnAt(p.tables[limit], "Table that forged SYNs can fill", fmt.Sprintf(
		"Below its threshold of %s the policy %q challenges nobody, and the %s remembers a source for %s: forged SYNs can take %.0f places, and there are %d. To keep room for real clients %s.",
		rateText(threshold), p.Name, limit, secondsText(life), sources, size, advice), p.floodPlace("threshold"))
}

// floodPlace is where an argument of syn_flood is declared, or what stands for the whole block.
func (p *policyDecl) floodPlace(argument string) place {
	if flood, declared := p.blocks["syn_flood"]; declared {
		if flood.has(argument) {
			return place{fmt.Sprintf("%q is declared", argument), flood.rangeOf(argument)}
		}
		return place{"syn_flood is declared", flood.rng}
	}
	return place{"the ban, which challenges, is declared", p.blocks["ban"].rng}
}

// rateText writes a rate the short way where there is one.
func rateText(r Rate) string {
	for _, u := range rateUnits() {
		if r.Interval == u.interval {
			return fmt.Sprintf("%d/%s", r.Count, u.name)
		}
	}
	return fmt.Sprintf("%d/%s", r.Count, r.Interval)
}

// slowerRate writes the largest rate in whole numbers that is not above so many a second.
func slowerRate(second float64) string {
	for _, u := range rateUnits() {
		if n := math.Floor(second * u.interval.Seconds()); n >= 1 {
			return fmt.Sprintf("%.0f/%s", n, u.name)
		}
	}
	return "1/d"
}

type rateUnit struct {
	name     string
	interval time.Duration
}

func rateUnits() []rateUnit {
	return []rateUnit{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}
}

func secondsText(d time.Duration) string { return fmt.Sprintf("%.0f s", math.Ceil(d.Seconds())) }
