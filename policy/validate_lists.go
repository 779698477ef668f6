package policy

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

// listChecks judges what the lists of a policy hold. Lists are shared by many policies and may have a million
// entries, so what takes time linear in them is done once.
type listChecks struct {
	l      *loader
	forbid []writtenPrefix // what no deny list may cover: loopback, and the sources of management
	unions map[string]*addrset.Set
	inside map[string]bool // "<lists of only>/<list of allow>": whether the one holds the other
}

func (l *loader) newListChecks() *listChecks {
	c := &listChecks{l: l, unions: map[string]*addrset.Set{}, inside: map[string]bool{}}
	c.forbid = []writtenPrefix{
		{Prefix: netip.MustParsePrefix("127.0.0.0/8")},
		{Prefix: netip.MustParsePrefix("::1/128")},
	}
	if l.management != nil {
		c.forbid = append(c.forbid, l.management.written...)
	}
	return c
}

func (c *listChecks) check(p *policyDecl) {
	c.checkDeny(p)
	c.checkAllow(p)
	c.checkOnly(p)
	c.checkFamilies(p, "allow", p.Allow)
	c.checkFamilies(p, "only", p.Only)
}

// set is a list's content, nil when it could not be read.
func (c *listChecks) set(name string) *addrset.Set { return c.l.lists[name].list.Addresses }

// entryOf is where an argument names the list, or for the anonymous list the entry that wanted finds, if it is given.
func (c *listChecks) entryOf(p *policyDecl, argument, name string, wanted func(*addrset.Set) bool) hcl.Range {
	rng := hcl.Range{}
	for _, e := range p.entries[argument] {
		if rng.Filename == "" {
			rng = e.rng
		}
		if e.value.Type() == listType {
			if e.value.EncapsulatedValue().(*listRef).name == name {
				return e.rng
			}
			continue
		}
		var b addrset.Builder
		if c.l.lists[name].list.Anonymous && b.AddText(e.value.AsString()) == nil && wanted(b.Build()) {
			return e.rng
		}
	}
	return rng
}

// checkDeny refuses what would cut the host off from itself or from those who administer it.
func (c *listChecks) checkDeny(p *policyDecl) {
	for _, name := range p.Deny {
		for i, f := range c.forbid {
			if !c.set(name).Overlaps(f.Prefix) {
				continue
			}
			at := c.entryOf(p, "deny", name, func(s *addrset.Set) bool { return s.Overlaps(f.Prefix) })
			subject := c.l.lists[name].list.Address()
			if i < 2 {
				c.l.report.errorAt(at, "Deny covers loopback", fmt.Sprintf("%s holds addresses of %s, by which this host speaks with itself.", subject, f.Prefix))
			} else {
				c.l.report.errorAt(at, "Deny covers management", fmt.Sprintf("%s holds addresses of the management source %s.", subject, f.Prefix),
					place{"management is declared", f.rng})
			}
			break
		}
	}
}

// checkAllow refuses an allow list that switches the policy off for a whole address family.
func (c *listChecks) checkAllow(p *policyDecl) {
	for _, name := range p.Allow {
		everybody := wholeFamily(c.set(name))
		if everybody == "" {
			continue
		}
		at := c.entryOf(p, "allow", name, func(s *addrset.Set) bool { return wholeFamily(s) != "" })
		c.l.report.errorAt(at, "Allow covers everybody",
			fmt.Sprintf("%s holds %s, so the policy %q would limit nobody there. Use mode = \"off\" if that is meant.", c.l.lists[name].list.Address(), everybody, p.Name))
	}
}

// wholeFamily gives "0.0.0.0/0" or "::/0" when the set holds all of it.
func wholeFamily(s *addrset.Set) string {
	// Ranges are sorted and merged, so only the first can be it.
	if r := s.Part(addrset.Ranges4).Ranges4; len(r) > 0 && r[0].Lo == 0 && r[0].Hi == math.MaxUint32 {
		return "0.0.0.0/0"
	}
	last := addrset.Addr6{Hi: math.MaxUint64, Lo: math.MaxUint64}
	if r := s.Part(addrset.Ranges6).Ranges6; len(r) > 0 && r[0].Lo == (addrset.Addr6{}) && r[0].Hi == last {
		return "::/0"
	}
	return ""
}

// checkOnly refuses an allow outside only: those sources are said to be let in and kept out.
func (c *listChecks) checkOnly(p *policyDecl) {
	if len(p.Only) == 0 {
		return
	}
	only := c.union(p.Only)
	for _, name := range p.Allow {
		if c.set(name) == nil {
			continue
		}
		key := strings.Join(p.Only, " ") + "/" + name
		inside, done := c.inside[key]
		if !done {
			inside = only == nil || only.ContainsSet(c.set(name))
			c.inside[key] = inside
		}
		if !inside {
			at := c.entryOf(p, "allow", name, func(s *addrset.Set) bool { return !only.ContainsSet(s) })
			c.l.report.errorAt(at, "Allow outside only",
				fmt.Sprintf("%s holds addresses that \"only\" does not, so the policy %q both lets them in and keeps them out.", c.l.lists[name].list.Address(), p.Name),
				place{"\"only\" is declared", c.entryOf(p, "only", p.Only[0], func(*addrset.Set) bool { return true })})
		}
	}
}

// union is the content of several lists, nil when one of them could not be read.
func (c *listChecks) union(names []string) *addrset.Set {
	if len(names) == 1 {
		return c.set(names[0])
	}
	key := strings.Join(names, " ")
	if u, done := c.unions[key]; done {
		return u
	}
	var b addrset.Builder
	for _, name := range names {
		if c.set(name) == nil {
			c.unions[key] = nil
			return nil
		}
		b.AddSet(c.set(name))
	}
	c.unions[key] = b.Build()
	return c.unions[key]
}

// checkFamilies warns when an argument speaks of one address family and the policy serves both.
func (c *listChecks) checkFamilies(p *policyDecl, argument string, names []string) {
	var has4, has6 bool
	for _, name := range names {
		s := c.set(name)
		if s == nil {
			return
		}
		has4, has6 = has4 || s.HasIPv4(), has6 || s.HasIPv6()
	}
	serves4, serves6 := p.families()
	if has4 == has6 || !serves4 || !serves6 {
		return
	}
	have, lack := "IPv4", "IPv6"
	if has6 {
		have, lack = lack, have
	}
	effect := "limited like everybody"
	if argument == "only" {
		effect = "refused"
	}
	at := c.entryOf(p, argument, names[0], func(*addrset.Set) bool { return true })
	c.l.report.warnAt(at, have+"-only list on a dual-stack policy",
		fmt.Sprintf("%q of the policy %q holds no %s address, so whoever comes by %s is %s.", argument, p.Name, lack, lack, effect))
}

// families says which address families the policy's own addresses have.
func (p *policyDecl) families() (ipv4, ipv6 bool) {
	for _, a := range p.Addresses {
		ipv4, ipv6 = ipv4 || a.Addr().Is4(), ipv6 || a.Addr().Is6()
	}
	return ipv4 || len(p.Addresses) == 0, ipv6 || len(p.Addresses) == 0
}
