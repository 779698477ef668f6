package view

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/tcpguard/tcpguard/internal/status"
)

// host tells of what all policies share: bans made by hand, conntrack, TCP and its queues.
func (w statusWriter) host(s *status.Status) {
	fmt.Fprintf(w, "\n%s\n", w.style.paint(bold, "host"))
	if s.Applied {
		w.bans(s.Bans)
	}
	w.conntrack(s.Conntrack)
	w.states(s.TCP.States)
	q := s.TCP.Queues
	w.events("SYN queue", "full: dropped", q.SYNDropped, red)
	w.events("", "full: sent a cookie", q.SYNCookied, yellow)
	w.events("accept queue", "overflowed", q.AcceptOverflows, red)
	w.cookies("SYN cookies", s.TCP.Cookies)
	w.cookies("challenges", s.TCP.Challenges)
	kind := "listeners"
	for _, l := range s.Listeners {
		w.listener(kind, l)
		kind = ""
	}
}

// bans tells of those that hold for the whole host.
func (w statusWriter) bans(b status.HostBans) {
	label := "bans"
	for _, t := range b.Tables {
		name := "addresses "
		if strings.HasSuffix(t.Name, ".net") {
			name = "ranges "
		}
		if t.Count != 0 {
			w.table(label, name+familyText(t.Family), t.Fill)
			label = ""
		}
	}
	if label != "" {
		w.row(label, "nobody", "", "")
	}
	if b.Dropped.Packets > 0 {
		w.traffic("", "dropped", b.Dropped, yellow)
	}
}

func (w statusWriter) conntrack(c status.Conntrack) {
	if !c.Tracking {
		w.row("conntrack", "not in use", "", "")
		return
	}
	w.table("conntrack", "connections", c.Fill)
	w.events("", "dropped, table full", c.Dropped, red)
	if c.EvictedEarly > 0 {
		w.events("", "evicted early", c.EvictedEarly, yellow)
	}
}

// events writes a counter of the kernel's.
func (w statusWriter) events(kind, name string, n uint64, code string) {
	fmt.Fprintf(w, "  %-*s %-*s %s\n", statusKind, kind, statusName, name, w.number(n, code))
}

func (w statusWriter) states(s status.States) {
	kind := "TCP"
	for _, c := range s.Counts {
		value := grouped(uint64(c.Count))
		if s.Incomplete {
			value = "at least " + value
		}
		w.row(kind, c.State, value, "")
		kind = ""
	}
	w.row(kind, "TIME_WAIT", grouped(uint64(s.TimeWait)), "")
}

// cookies are told when there were any.
func (w statusWriter) cookies(kind string, c status.Cookies) {
	if c == (status.Cookies{}) {
		w.row(kind, "none", "", "")
		return
	}
	w.events(kind, "sent", c.Sent, yellow)
	w.events("", "returned", c.Returned, "")
	w.events("", "failed", c.Failed, yellow)
}

// listener tells how much of a listener's accept queue is in use.
func (w statusWriter) listener(kind string, l status.Listener) {
	rest := " queued of " + fmt.Sprintf("%-8s", grouped(uint64(l.Backlog))) + " " + l.Policy
	if l.Process.Command != "" {
		rest += ", " + l.Process.Command
	}
	code := ""
	if l.Queued >= l.Backlog {
		code = red
	}
	value := w.number(uint64(l.Queued), code)
	fmt.Fprintf(w, "  %-*s %-*s %s%s\n", statusKind, kind, statusName, netip.AddrPortFrom(l.Address, l.Port), value, rest)
}
