package policy

import (
	"fmt"
	"net/netip"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// policyDecl is a policy with the places its values are written at.
type policyDecl struct {
	Policy
	header  hcl.Range
	ports   hcl.Range
	portsAt []writtenPort
	entries map[string][]element // of allow, deny and only
	unsure  bool                 // some list argument could not be read
	tables  map[string]hcl.Range // where each limit, or its table_size, is declared
	blocks  map[string]blockDecl // of syn_flood, ban and log
}

// writtenPort is a port or range and where it stands.
type writtenPort struct {
	PortRange
	rng hcl.Range
}

var policySchema = &hcl.BodySchema{
	Attributes: append([]hcl.AttributeSchema{
		{Name: "ports", Required: true}, {Name: "description"}, {Name: "protocol"}, {Name: "interfaces"}, {Name: "addresses"},
		{Name: "path"}, {Name: "mode"}, {Name: "allow"}, {Name: "deny"}, {Name: "only"},
	}, groupingArguments...),
	Blocks: []hcl.BlockHeaderSchema{{Type: "connection_limit"}, {Type: "rate_limit"}, {Type: "syn_flood"}, {Type: "ban"}, {Type: "log"}},
}

// maxCoverage bounds ports x interfaces x addresses of one policy: each combination becomes an element in the kernel.
const maxCoverage = 1 << 16

func (l *loader) decodePolicy(b *hcl.Block) {
	name := b.Labels[0]
	if !l.declare("policy", name, b.LabelRanges[0]) {
		return
	}
	a := l.args(b.Body, policySchema, fmt.Sprintf("The policy %q", name))
	p := &policyDecl{
		header:  hcl.RangeBetween(b.DefRange, b.LabelRanges[0]),
		entries: map[string][]element{}, tables: map[string]hcl.Range{}, blocks: map[string]blockDecl{},
	}
	if b.DefRange.Start.Byte > b.LabelRanges[0].Start.Byte { // in JSON it is the brace behind the label
		p.header = b.LabelRanges[0]
	}
	p.Policy = Policy{Name: name, Protocol: TCP, Path: PathInput, Range: rangeOf(p.header)}
	p.Description, _, _ = a.text("description")
	if v, ok := a.enum("protocol", string(TCP), string(UDP)); ok {
		p.Protocol = Protocol(v)
	}
	if v, ok := a.enum("path", string(PathInput), string(PathForward)); ok {
		p.Path = Path(v)
	}
	s := a.settings(l.defaults)
	p.Mode = s.mode
	l.decodeWhere(a, p)
	p.Allow, p.AllowRange = l.decodeLists(a, p, "allow")
	p.Deny, p.DenyRange = l.decodeLists(a, p, "deny")
	p.Only, p.OnlyRange = l.decodeLists(a, p, "only")
	l.decodeLimits(a.content.Blocks, p, s)
	l.finishBan(p)
	l.policies = append(l.policies, p)
}

// decodeLists reads allow, deny or only.
func (l *loader) decodeLists(a args, p *policyDecl, argument string) ([]string, Range) {
	if !a.has(argument) {
		return nil, Range{}
	}
	before := l.report.errors
	names, entries, ok := l.listNames(a, p.Name, argument)
	p.entries[argument] = entries
	p.unsure = p.unsure || !ok || l.report.errors > before
	return names, rangeOf(a.rangeOf(argument))
}

// decodeWhere reads what a policy covers.
func (l *loader) decodeWhere(a args, p *policyDecl) {
	p.ports = a.rangeOf("ports")
	var whole bool
	p.portsAt, whole = l.ports(a)
	for _, w := range p.portsAt {
		p.Ports = append(p.Ports, w.PortRange)
	}
	p.Ports = mergePorts(p.Ports)
	if whole && len(p.Ports) == 0 {
		l.report.errorAt(p.ports, "No ports", "A policy covers at least one port.")
	}
	interfaces, _ := a.texts("interfaces", `["eth0"]`)
	seen := map[string]bool{}
	for _, e := range interfaces {
		name := e.value.AsString()
		if problem := checkInterface(name); problem != "" {
			l.report.errorAt(e.rng, "Bad interface name", fmt.Sprintf("The name of an interface %s; this is %q.", problem, short(name)))
			continue
		}
		if !seen[name] {
			seen[name] = true
			p.Interfaces = append(p.Interfaces, name)
		}
	}
	sort.Strings(p.Interfaces)
	addresses, _ := a.texts("addresses", `["203.0.113.10"]`)
	for _, e := range addresses {
		prefix, bad := parsePrefix(e.value.AsString())
		if bad != nil {
			l.report.errorAt(e.rng, bad.summary, bad.detail)
			continue
		}
		p.Addresses = append(p.Addresses, prefix)
	}
	p.Addresses = mergePrefixes(p.Addresses)
	if n := len(p.Ports) * max(1, len(p.Interfaces)) * max(1, len(p.Addresses)); n > maxCoverage {
		l.report.errorAt(p.header, "Policy too wide",
			fmt.Sprintf("Ports, interfaces and addresses make %d combinations; at most %d are possible.", n, maxCoverage))
		p.Ports = nil
	}
}

// ports reads an argument of ports. whole is false when the argument is absent or some port in it was wrong.
func (l *loader) ports(a args) (ports []writtenPort, whole bool) {
	list, _, ok := a.elements("ports", `[443, "8000-8010"]`)
	if !ok {
		return nil, false
	}
	whole = true
	for _, e := range list {
		port, bad := portOf(e.value)
		if bad != nil {
			l.report.errorAt(e.rng, bad.summary, bad.detail)
			whole = false
			continue
		}
		ports = append(ports, writtenPort{port, e.rng})
	}
	return ports, whole
}

// portOf reads a port from a number or a string.
func portOf(v cty.Value) (PortRange, *mistake) {
	if v.IsNull() || v.Type() != cty.String && v.Type() != cty.Number {
		return PortRange{}, &mistake{"Wrong type", fmt.Sprintf("Ports are numbers, or ranges such as \"8000-8010\"; this is %s.", describe(v))}
	}
	if v.Type() == cty.String {
		return parsePort(v.AsString())
	}
	n, problem := wholeFrom(v)
	if problem != isWhole {
		return PortRange{}, &mistake{"Whole number expected", fmt.Sprintf("%s is not a port; ports are whole numbers from 1 to 65535.", numberText(v))}
	}
	if n == nil || !n.IsInt64() || n.Int64() < 1 || n.Int64() > 65535 {
		return PortRange{}, &mistake{"Port out of range", fmt.Sprintf("%s is outside the ports 1 to 65535.", numberText(v))}
	}
	return PortRange{uint16(n.Int64()), uint16(n.Int64())}, nil
}

// mergePorts sorts and joins ranges that overlap or touch.
func mergePorts(ports []PortRange) []PortRange {
	sort.Slice(ports, func(i, j int) bool { return ports[i].First < ports[j].First })
	var out []PortRange
	for _, p := range ports {
		if last := len(out) - 1; last >= 0 && int(p.First) <= int(out[last].Last)+1 {
			out[last].Last = max(out[last].Last, p.Last)
			continue
		}
		out = append(out, p)
	}
	return out
}

// mergePrefixes sorts and drops what another prefix covers.
func mergePrefixes(prefixes []netip.Prefix) []netip.Prefix {
	sort.Slice(prefixes, func(i, j int) bool { return comparePrefix(prefixes[i], prefixes[j]) < 0 })
	var out []netip.Prefix
	for _, p := range prefixes {
		if last := len(out) - 1; last >= 0 && out[last].Contains(p.Addr()) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// comparePrefix orders by address, a wider prefix before those within it.
func comparePrefix(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}
