package report

import (
	"slices"
	"strings"
)

// place is one line of "what was dropped where".
type place struct {
	Name, Meaning string
	Without, With string
	Counter       bool // Name is a counter's
	Last          bool // of its scenario
}

// kernelMeanings says what the kernel's counters count; see Documentation/networking/snmp_counter.rst.
var kernelMeanings = [...]struct{ name, meaning string }{
	{"TcpExt.ListenOverflows", "handshakes completed while the accept queue was full"},
	{"TcpExt.ListenDrops", "SYNs and handshakes that a listener dropped"},
	{"TcpExt.SyncookiesSent", "SYNs that a listener with a full SYN queue answered with a cookie"},
	{"TcpExt.SyncookiesRecv", "handshakes completed by a cookie"},
	{"TcpExt.SyncookiesFailed", "ACKs whose cookie was wrong"},
	{"TcpExt.TCPReqQFullDrop", "SYNs dropped because the SYN queue was full"},
	{"conntrack.insert_failed", "connections that could not be tracked"},
	{"conntrack.drop", "packets dropped because the tracking table was full"},
	{"conntrack.early_drop", "half-open connections forgotten to make room"},
}

// ownMeanings says what tcpguard's counters count, by the end of their name; the first that fits holds.
var ownMeanings = [...]struct{ suffix, meaning string }{
	{"connection_limit.full", "new sources, because the limit's table was full"},
	{"rate_limit.full", "new sources, because the limit's table was full"},
	{".connection_limit", "over the connection limit"},
	{".rate_limit", "over the rate limit"},
	{".syn_flood.hot", "SYNs of a source far over its rate, dropped before conntrack"},
	{".syn_flood.challenged", "SYNs that had to prove their source"},
	{".syn_flood.invalid", "packets that belong to no connection and prove nothing"},
	{".syn_flood.excess", "SYNs over a limit whose source was not proven: challenged from then on"},
	{".ban.added", "bans made"},
	{"ban", "from banned sources"},
	{".deny", "from a deny list"},
	{".allow", "from an allow list: not limited"},
	{".only", "from outside the only list"},
	{".accepted", "new connections passed on to the service"},
}

func meaning(counter string) string {
	for _, m := range kernelMeanings {
		if m.name == counter {
			return m.meaning
		}
	}
	for _, m := range ownMeanings {
		if strings.HasSuffix(counter, m.suffix) {
			return m.meaning
		}
	}
	return ""
}

// Places lists what a scenario's packets met: the attack, the policy's counters, the kernel's, and conntrack.
func (s Scenario) Places() []place {
	out := []place{s.attackPlace()}
	if s.With.Attack.Established+s.Without.Attack.Established > 0 {
		out = append(out, place{
			Name: "places taken by the attacker", Meaning: "at the server, the most at any time",
			Without: Number(s.Without.Attack.Taken), With: Number(s.With.Attack.Taken),
		})
	}
	for _, c := range s.With.Counters {
		out = append(out, place{Name: c.Name, Meaning: meaning(c.Name), Without: "–", With: Number(c.Value), Counter: true})
	}
	for _, name := range names(s.Without.Kernel, s.With.Kernel) {
		out = append(out, place{
			Name: name, Meaning: meaning(name), Without: value(s.Without.Kernel, name), With: value(s.With.Kernel, name), Counter: true,
		})
	}
	if s.With.Conntrack.Max > 0 {
		out = append(out, place{
			Name: "connections tracked, at most", Meaning: "of " + Number(s.With.Conntrack.Max) + " that conntrack has room for",
			Without: Number(s.Without.Conntrack.Peak), With: Number(s.With.Conntrack.Peak),
		})
	}
	out[len(out)-1].Last = true
	return out
}

func (s Scenario) attackPlace() place {
	if s.With.Attack.Unit == "" {
		return place{Name: "no attack", Without: "–", With: "–"}
	}
	p := place{
		Name: s.With.Attack.Unit + " sent by the attacker", Without: Number(s.Without.Attack.Sent), With: Number(s.With.Attack.Sent),
		Meaning: Number(uint64(s.With.Attack.PerSecond)) + " a second",
	}
	if s.With.Attack.Established+s.Without.Attack.Established > 0 {
		p.Name = "connections attempted by the attacker"
		p.Meaning = Number(uint64(s.With.Attack.PerSecond)) + " a second with the policy"
	}
	return p
}

// names gives the sorted names in either list.
func names(a, b []Count) []string {
	var out []string
	for _, c := range append(slices.Clone(a), b...) {
		out = append(out, c.Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func value(counts []Count, name string) string {
	for _, c := range counts {
		if c.Name == name {
			return Number(c.Value)
		}
	}
	return "0"
}
