package reconcile

import (
	"slices"

	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

const keyLoose = "net.netfilter.nf_conntrack_tcp_loose"

// adopt tells conntrack of connections that it may not have seen, once the rules are in force and before conntrack
// becomes strict: when strictness is about to be switched on, and when our table was missing, because without rules
// conntrack does not follow connections either.
func (t *transit) adopt(progress func(string)) error {
	w := t.plan.work
	ports := challengedPorts(w.goal.bundle, policy.PathInput)
	if t.r.adopt == nil || len(ports) == 0 || w.actual.Exists && !w.tuning.turnsStrict() {
		return nil
	}
	progress("adopt")
	n, err := t.r.adopt(ports)
	if err != nil {
		return &StepError{Step: "adopt open connections", Err: err}
	}
	t.report.Adopted = n
	return nil
}

// turnsStrict says whether the steps end conntrack's taking over of connections in mid-stream.
func (t *tuning) turnsStrict() bool {
	return slices.ContainsFunc(t.steps, func(s sysctl.Step) bool { return s.Key == keyLoose && slices.Equal(s.After, []string{"0"}) })
}

// challengedPorts are the ports of the enforced policies on a path that challenge.
func challengedPorts(b *policy.Bundle, path policy.Path) []policy.PortRange {
	var ports []policy.PortRange
	for _, p := range b.Policies {
		if p.Mode == policy.ModeEnforce && p.Path == path && p.SYNFlood != nil && p.SYNFlood.Protect.Challenges() {
			ports = append(ports, p.Ports...)
		}
	}
	return ports
}

// cutting warns of the connections that cannot be adopted: those of hosts behind this one, which only conntrack knows.
func (w *work) cutting() []string {
	if w.goal.bundle == nil || !w.tuning.turnsStrict() || len(challengedPorts(w.goal.bundle, policy.PathForward)) == 0 {
		return nil
	}
	return []string{"connections through this host to challenged ports end when conntrack has not seen them: " +
		"with no firewall in use so far, all that are open and silent during this apply"}
}
