package policy

import "fmt"

// checkWhole finds what no single block shows.
func (l *loader) checkWhole() {
	l.checkOverlaps()
	c := l.newListChecks()
	for _, p := range l.policies {
		l.checkManagementPorts(p)
		c.check(p)
		l.checkTables(p)
		if !p.unsure && p.Connection == nil && p.Rate == nil && (p.SYNFlood == nil || !p.SYNFlood.Protect.Challenges()) && len(p.Deny) == 0 && len(p.Only) == 0 {
			l.report.warnAt(p.header, "Policy without limits",
				fmt.Sprintf("The policy %q has no connection_limit, rate_limit, syn_flood, deny or only, so it refuses nobody.", p.Name))
		}
	}
	l.checkConntrack()
	l.checkCookies()
	l.checkProtections()
}

// checkManagementPorts refuses a policy over a port that management lets pass for everybody: it could never act.
func (l *loader) checkManagementPorts(p *policyDecl) {
	if l.management == nil || len(l.management.Sources) > 0 || p.Protocol != TCP {
		return
	}
	for _, written := range p.portsAt {
		for _, m := range l.management.Ports {
			if written.First <= m.Last && m.First <= written.Last {
				l.report.errorAt(written.rng, "Policy on a management port", fmt.Sprintf(
					"The management block lets port %s pass for everybody, so the policy %q could never act on it. Give management its sources, or leave the port out.",
					m, p.Name), place{"management is declared", l.management.ports})
				return
			}
		}
	}
}
