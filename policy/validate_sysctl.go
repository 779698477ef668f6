package policy

import (
	"fmt"
	"strconv"
)

// declaredNumber is the value of a declared sysctl of one number.
func (l *loader) declaredNumber(key string) (uint64, *sysctlDecl) {
	d := l.sysctls[key]
	if d == nil || len(d.Want) != 1 {
		return 0, nil
	}
	n, err := strconv.ParseUint(d.Want[0], 10, 64)
	if err != nil {
		return 0, nil
	}
	return n, d
}

// checkConntrack warns of limits that conntrack's table is too small for: each tracked source has one entry there at
// least, so conntrack is full, and drops everybody's connections, before the limit's own table is.
func (l *loader) checkConntrack() {
	entries, d := l.declaredNumber("net.netfilter.nf_conntrack_max")
	if d == nil {
		return
	}
	for _, p := range l.policies {
		limits := map[string]*Grouping{}
		if p.Connection != nil {
			limits["connection_limit"] = &p.Connection.Grouping
		}
		if p.Rate != nil {
			limits["rate_limit"] = &p.Rate.Grouping
		}
		for _, name := range sortedNames(limits) {
			g := limits[name]
			if g.Per != PerSource || uint64(g.TableSize) <= entries {
				continue
			}
			l.report.warnAt(p.tables[name], "Table larger than conntrack",
				fmt.Sprintf("The %s of the policy %q tracks up to %d sources, but nf_conntrack_max lets the kernel hold %d connections, so it refuses everybody before that table is full.",
					name, p.Name, g.TableSize, entries),
				place{"nf_conntrack_max is declared", d.value})
		}
	}
}

// checkProtections warns of declared settings that a protection cannot work with: what is declared wins over what
// tcpguard would set by itself.
func (l *loader) checkProtections() {
	challenges, cookies := l.firstProtected(Protect.Challenges), l.firstProtected(func(p Protect) bool { return p == ProtectCookies })
	for _, c := range []struct {
		by            *policyDecl
		key           string
		spoils        uint64
		summary, text string
	}{
		{challenges, "net.ipv4.tcp_timestamps", 0, "Challenges without timestamps",
			"The policy %q challenges sources with SYN cookies, which carry window scaling and SACK in the TCP timestamp. Leave the setting at 1."},
		{challenges, "net.netfilter.nf_conntrack_tcp_loose", 1, "Challenges with loose tracking",
			"The policy %q challenges sources, but with nf_conntrack_tcp_loose the answer to a challenge counts as a connection that conntrack had missed, whether it is right or not. Set it to 0."},
		{challenges, "net.ipv4.tcp_syncookies", 0, "Challenges without SYN cookies",
			"The policy %q challenges sources with SYN cookies. Set tcp_syncookies to 1."},
		{cookies, "net.ipv4.tcp_syncookies", 0, "Protection by cookies without SYN cookies",
			"The policy %q leaves SYN floods to the kernel's SYN cookies. Set tcp_syncookies to 1, or protect = \"off\"."},
	} {
		if n, d := l.declaredNumber(c.key); c.by != nil && d != nil && (c.spoils != 0 || d.Bound != AtLeast) && n == c.spoils {
			l.report.warnAt(d.value, c.summary, fmt.Sprintf(c.text, c.by.Name), c.by.floodPlace("protect"))
		}
	}
}

// firstProtected is the first enforced policy whose protection is of that kind.
func (l *loader) firstProtected(kind func(Protect) bool) *policyDecl {
	for _, p := range l.policies {
		if p.SYNFlood != nil && p.Mode == ModeEnforce && kind(p.SYNFlood.Protect) {
			return p
		}
	}
	return nil
}

// checkCookies warns of settings that break SYN cookies: without timestamps a cookie has no room for window scaling
// and SACK; and with abort on overflow a client that proved itself by its cookie may get a reset for it.
func (l *loader) checkCookies() {
	cookies, c := l.declaredNumber("net.ipv4.tcp_syncookies")
	if c == nil || cookies == 0 {
		return
	}
	related := place{"tcp_syncookies is declared", c.value}
	if n, d := l.declaredNumber("net.ipv4.tcp_timestamps"); d != nil && n == 0 {
		l.report.warnAt(d.value, "SYN cookies without timestamps",
			"Without TCP timestamps a SYN cookie cannot carry window scaling and SACK, so connections made under attack stay slow.", related)
	}
	if n, d := l.declaredNumber("net.ipv4.tcp_abort_on_overflow"); d != nil && n != 0 {
		l.report.warnAt(d.value, "SYN cookies with abort on overflow",
			"With tcp_abort_on_overflow, clients whose SYN cookie was right are reset while the accept queue is full, instead of being served a moment later.", related)
	}
}
