package status

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/policy"
)

// policies joins what is declared with what the kernel holds. bundle is nil when the policy files cannot be used; ports
// are those the kernel knows of, by policy.
func policies(bundle *policy.Bundle, live *nft.Live, ports map[string][]policy.PortRange) []Policy {
	found := map[string]*Policy{}
	get := func(name string) *Policy {
		if found[name] == nil {
			found[name] = &Policy{Name: name}
		}
		return found[name]
	}
	if bundle != nil {
		for i := range bundle.Policies {
			d, p := &bundle.Policies[i], get(bundle.Policies[i].Name)
			p.Declared, p.Mode, p.Protocol, p.Path, p.Ports, p.Range = true, d.Mode, d.Protocol, d.Path, d.Ports, d.Range
			p.passes = map[string]bool{
				"connection_limit.full": d.Connection != nil && d.Connection.OnFull == policy.OnFullPass,
				"rate_limit.full":       d.Rate != nil && d.Rate.OnFull == policy.OnFullPass,
			}
		}
	}
	for _, c := range live.Counters {
		if name, rest, ok := objectOf(c.Name); ok {
			get(name).count(rest, Traffic{c.Packets, c.Bytes})
		}
	}
	for i := range live.Sets {
		s := &live.Sets[i]
		if name, rest, ok := objectOf(s.Name); ok && s.Live() {
			get(name).table(rest, s)
		}
	}
	all := make([]Policy, 0, len(found))
	for _, p := range found {
		if !p.Declared {
			p.Ports = ports[p.Name]
		}
		slices.SortFunc(p.Refusals, func(a, b Refusal) int { return byOrder()(a.Reason, b.Reason) })
		sortTables(p.Tables)
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// count takes in a counter.
func (p *Policy) count(rest string, t Traffic) {
	p.Held = true
	switch rest {
	case "accepted":
		p.Accepted = t
	case "allow":
		p.Allowed = t
	default:
		p.Refusals = append(p.Refusals, Refusal{rest, p.kind(rest), t})
	}
}

// kind says what becomes of packets that are counted for a reason.
func (p *Policy) kind(reason string) Kind {
	switch {
	case reason == "ban.added", reason == "ban.full":
		return Banned
	case reason == "syn_flood.challenged", reason == "syn_flood.excess":
		return Challenged
	case p.passes[reason]:
		return Passed
	}
	return Refused
}

// table takes in a set that rules fill. Only a policy in monitor mode has shadow sets.
func (p *Policy) table(rest string, s *enforcer.Set) {
	p.Held = true
	name, fam := tableOf(rest)
	if name == tableShadow && !p.Declared {
		p.Mode = policy.ModeMonitor
	}
	p.Tables = append(p.Tables, Table{Name: name, Set: s.Name, Family: fam, Fill: Fill{s.Count, uint64(s.Size)}})
}

// hostBans finds the bans of the whole host.
func hostBans(live *nft.Live) HostBans {
	var b HostBans
	for _, c := range live.Counters {
		if c.Name == tableBan {
			b.Dropped = Traffic{c.Packets, c.Bytes}
		}
	}
	for i := range live.Sets {
		s := &live.Sets[i]
		if !s.Live() || !strings.HasPrefix(s.Name, tableBan+".") {
			continue
		}
		name, fam := tableOf(s.Name)
		size := uint64(s.Size)
		if s.Interval {
			size /= 2 // a range is two elements
		}
		b.Tables = append(b.Tables, Table{Name: name, Set: s.Name, Family: fam, Fill: Fill{s.Count, size}})
	}
	sortTables(b.Tables)
	return b
}
