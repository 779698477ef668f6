package view

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/internal/status"
	"github.com/tcpguard/tcpguard/policy"
)

// Columns of a status: what kind of number, what it is of, the number.
const (
	statusKind  = 12
	statusName  = 30
	statusValue = 14
)

// Status tells first whether the host is as declared, then of each policy, then of the host.
func (t *Text) Status(s *status.Status) error {
	w := statusWriter{bufio.NewWriter(t.out), t.style}
	w.sync(s)
	for i := range s.Policies {
		w.policy(&s.Policies[i])
	}
	w.host(s)
	for _, n := range s.Notes {
		fmt.Fprintf(w, "%s %s\n", w.style.paint(faint, "note:"), n)
	}
	return w.Flush()
}

type statusWriter struct {
	*bufio.Writer
	style Style
}

// shownPending is how many changes a status names; plan names all.
const shownPending = 10

func (w statusWriter) sync(s *status.Status) {
	switch {
	case s.Sync.Unknown != "":
		fmt.Fprintf(w, "%s %s\n", w.style.paint(yellow, "Not known whether in sync:"), s.Sync.Unknown)
	case s.Sync.InSync() && !s.Applied:
		fmt.Fprintf(w, "%s nothing is declared, and nothing is applied.\n", w.style.paint(green, "In sync:"))
	case s.Sync.InSync():
		fmt.Fprintf(w, "%s this host is as declared.\n", w.style.paint(green, "In sync:"))
	default:
		n := s.Sync.Summary
		fmt.Fprintf(w, "%s %d to add, %d to change, %d to remove, %d to repair.\n",
			w.style.paint(red, "Not in sync:"), n.Add, n.Change, n.Remove, n.Repair)
		place := places(s.Sync.Pending)
		for i, c := range s.Sync.Pending {
			if i == shownPending {
				fmt.Fprintf(w, "    and %d more: see `tcpguard plan`\n", len(s.Sync.Pending)-i)
				break
			}
			writeColumns(w, "  "+w.style.sign(c.Action)+" ", 4, w.style.paint(bold, c.Address), c.Address, pendingReason(c, place(c.Range)))
		}
	}
	if s.Sync.Unknown != "" && !s.Applied {
		fmt.Fprintln(w, "Nothing of tcpguard is in the kernel.")
	}
}

// pendingReason says why, or what the sign does not say by itself.
func pendingReason(c reconcile.Change, place string) string {
	switch c.Reason {
	case "", "declared", "changed":
		return place
	}
	return c.Reason
}

func (w statusWriter) policy(p *status.Policy) {
	fmt.Fprintf(w, "\n%s  %s\n", w.style.paint(bold, p.Address()), w.policyFacts(p))
	if !p.Held {
		return
	}
	w.traffic("passed", "accepted", p.Accepted, "")
	if p.Allowed.Packets > 0 {
		w.traffic("", "allow", p.Allowed, "")
	}
	w.refusals(p)
	w.tables(p.Tables)
	w.shadow(p)
}

// refusals tells what has counted something, by what became of it. In JSON are the others too.
func (w statusWriter) refusals(p *status.Policy) {
	nothing := true
	for _, k := range []struct {
		kind           status.Kind
		label, monitor string
	}{
		{status.Refused, "refused", "would refuse"}, {status.Challenged, "challenged", "challenged"},
		{status.Banned, "banned", "would ban"}, {status.Passed, "passed", "passed"},
	} {
		label := k.label
		if p.Monitored() {
			label = k.monitor
		}
		for _, r := range p.Refusals {
			if r.Kind != k.kind || r.Packets == 0 {
				continue
			}
			code := yellow
			if strings.HasSuffix(r.Reason, ".full") {
				code = red
			}
			w.traffic(label, r.Reason, r.Traffic, code)
			label, nothing = "", false
		}
	}
	if nothing && p.Monitored() {
		w.row("would refuse", "nothing", "", "")
	} else if nothing {
		w.row("refused", "nothing", "", "")
	}
}

// policyFacts is the rest of a policy's heading: "enforce, tcp 80, 443".
func (w statusWriter) policyFacts(p *status.Policy) string {
	var parts []string
	switch p.Mode {
	case "":
	case policy.ModeMonitor:
		parts = append(parts, w.style.paint(yellow, "monitor: refuses nothing, counts what it would"))
	default:
		parts = append(parts, string(p.Mode))
	}
	protocol := string(p.Protocol)
	if protocol == "" {
		protocol = "tcp"
	}
	if len(p.Ports) > 0 {
		ports := make([]string, len(p.Ports))
		for i, r := range p.Ports {
			ports[i] = r.String()
		}
		parts = append(parts, protocol+" "+strings.Join(ports, ", "))
	}
	if p.Path == policy.PathForward {
		parts = append(parts, "forwarded")
	}
	switch {
	case !p.Declared:
		parts = append(parts, w.style.paint(yellow, "known from the kernel alone"))
	case !p.Held && p.Mode != policy.ModeOff:
		parts = append(parts, w.style.paint(yellow, "not in the kernel"))
	}
	return strings.Join(parts, "; ")
}

// row writes a line: the kind in the first column, empty where it is that of the line above.
func (w statusWriter) row(kind, name, value, rest string) {
	line := fmt.Sprintf("  %-*s %-*s %*s%s", statusKind, kind, statusName, name, statusValue, value, rest)
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// traffic writes a counter of packets; code paints it.
func (w statusWriter) traffic(kind, name string, t status.Traffic, code string) {
	unit := " packets"
	if t.Packets == 1 {
		unit = " packet"
	}
	fmt.Fprintf(w, "  %-*s %-*s %s%s\n", statusKind, kind, statusName, name, w.number(t.Packets, code), unit)
}

// number writes a number in its column: painted, when there is a code and something to see; 0 stands back.
func (w statusWriter) number(n uint64, code string) string {
	text := fmt.Sprintf("%*s", statusValue, grouped(n))
	switch {
	case n == 0:
		return w.style.paint(faint, text)
	case code != "":
		return w.style.paint(code, text)
	}
	return text
}

// tables tells how full they are. Those of limits are always told, others when there is something in them; that nobody
// is banned is told too.
func (w statusWriter) tables(tables []status.Table) {
	label, bans := "tracked", false
	for _, t := range tables {
		limit := t.Name == "connection_limit" || t.Name == "rate_limit"
		bans = bans || t.Name == "ban"
		if t.Name == "ban" || t.Name == "shadow" || t.Count == 0 && !limit {
			continue
		}
		w.table(label, t.Name+" "+familyText(t.Family), t.Fill)
		label = ""
	}
	label = "bans"
	for _, t := range tables {
		if t.Name == "ban" && t.Count != 0 {
			w.table(label, "in force "+familyText(t.Family), t.Fill)
			label = ""
		}
	}
	if bans && label != "" {
		w.row(label, "nobody", "", "")
	}
}

func familyText(f string) string {
	switch f {
	case "ipv4":
		return "IPv4"
	case "ipv6":
		return "IPv6"
	}
	return f
}

func (w statusWriter) table(kind, name string, f status.Fill) {
	value := "unknown"
	if f.Known() {
		value = grouped(uint64(f.Count))
	}
	rest := ""
	if f.Size > 0 {
		rest = " of " + grouped(f.Size)
		if f.Known() {
			rest = fmt.Sprintf("%-13s %s", rest, w.percent(f.Percent()))
		}
	}
	w.row(kind, name, value, rest)
}

// percent paints a table that is getting full.
func (w statusWriter) percent(p float64) string {
	text := fmt.Sprintf("%5.1f %%", p)
	switch {
	case p >= 90:
		return w.style.paint(red, text)
	case p >= 70:
		return w.style.paint(yellow, text)
	}
	return text
}

// shadow lists whom a policy in monitor mode would have refused.
func (w statusWriter) shadow(p *status.Policy) {
	if !p.Monitored() {
		return
	}
	title := "no source in the last hour"
	if p.Shadow.Sources > 0 {
		title = fmt.Sprintf("%s in the last hour", count(p.Shadow.Sources, "source", "sources"))
		if len(p.Shadow.Top) > 0 {
			title += "; hit most, each since it showed up:"
		}
	}
	fmt.Fprintf(w, "  %-*s %s\n", statusKind, "would hit", title)
	width := statusName
	for _, s := range p.Shadow.Top {
		width = max(width, len(s.Name))
	}
	for _, s := range p.Shadow.Top {
		fmt.Fprintf(w, "  %-*s %-*s %s packets, last %s ago, forgotten in %s\n", statusKind, "", width, s.Name,
			w.number(s.Packets, bold), shortTime(s.LastSeen), shortTime(s.Expires))
	}
}

// shortTime shows the two largest units of a time: "59m48s", "3s".
func shortTime(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s >= 3600 && s%3600 >= 60:
		return fmt.Sprintf("%dh%dm", s/3600, s%3600/60)
	case s >= 3600:
		return fmt.Sprintf("%dh", s/3600)
	case s >= 60 && s%60 > 0:
		return fmt.Sprintf("%dm%ds", s/60, s%60)
	case s >= 60:
		return fmt.Sprintf("%dm", s/60)
	}
	return fmt.Sprintf("%ds", s)
}

// grouped writes a number with its thousands apart.
func grouped(n uint64) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
