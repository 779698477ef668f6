package policy

import (
	"fmt"
	"net/netip"

	"github.com/hashicorp/hcl/v2"
)

// settings are what defaults, a policy and a limit may each say; the innermost one wins.
type settings struct {
	mode       Mode
	action     Action
	ipv4Prefix int
	ipv6Prefix int
	tableSize  uint32
	onFull     OnFull

	actionRange hcl.Range // where the action is written; zero for the built-in one
	tableRange  hcl.Range
}

// builtinSettings hold where nothing is declared. A /64 is what one IPv6 subscriber gets at least.
func builtinSettings() settings {
	return settings{mode: ModeEnforce, action: ActionDrop, ipv4Prefix: 32, ipv6Prefix: 64, tableSize: 65536, onFull: OnFullDrop}
}

// groupingArguments stand in defaults, in a policy and in a limit.
var groupingArguments = []hcl.AttributeSchema{
	{Name: "action"}, {Name: "ipv4_prefix"}, {Name: "ipv6_prefix"}, {Name: "table_size"}, {Name: "on_full"},
}

var defaultsSchema = &hcl.BodySchema{Attributes: append([]hcl.AttributeSchema{{Name: "mode"}}, groupingArguments...)}

func (l *loader) decodeDefaults(blocks hcl.Blocks) {
	if b := l.single(blocks); b != nil {
		l.defaults = l.args(b.Body, defaultsSchema, "The defaults block").settings(l.defaults)
	}
}

// settings overrides what is written.
func (a args) settings(s settings) settings {
	if mode, ok := a.enum("mode", string(ModeEnforce), string(ModeMonitor), string(ModeOff)); ok {
		s.mode = Mode(mode)
	}
	if action, ok := a.enum("action", string(ActionDrop), string(ActionReset)); ok {
		s.action, s.actionRange = Action(action), a.rangeOf("action")
	}
	if bits, ok := a.whole("ipv4_prefix", 1, 32); ok {
		s.ipv4Prefix = int(bits)
	}
	if bits, ok := a.whole("ipv6_prefix", 1, 128); ok {
		s.ipv6Prefix = int(bits)
	}
	if size, ok := a.whole("table_size", 1, maxTableSize); ok {
		s.tableSize, s.tableRange = uint32(size), a.rangeOf("table_size")
	}
	if onFull, ok := a.enum("on_full", string(OnFullDrop), string(OnFullPass)); ok {
		s.onFull = OnFull(onFull)
	}
	return s
}

// maxTableSize bounds the sources of one limit. An element takes about 100 bytes of kernel memory, so this is 1.6 GiB.
const maxTableSize = 1 << 24

func (s settings) grouping(per Per) Grouping {
	return Grouping{Per: per, IPv4Prefix: s.ipv4Prefix, IPv6Prefix: s.ipv6Prefix, TableSize: s.tableSize, OnFull: s.onFull}
}

type managementDecl struct {
	Management
	written []writtenPrefix // each source and its place
	ports   hcl.Range
}

// writtenPrefix is a prefix and where it stands.
type writtenPrefix struct {
	netip.Prefix
	rng hcl.Range
}

var managementSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "sources"}, {Name: "ports"}}}

func (l *loader) decodeManagement(blocks hcl.Blocks) {
	b := l.single(blocks)
	if b == nil {
		return
	}
	a := l.args(b.Body, managementSchema, "The management block", "sources", "ports")
	m := &managementDecl{Management: Management{Range: rangeOf(b.DefRange)}}
	sources, _ := a.texts("sources", `["198.51.100.0/24"]`)
	for _, e := range sources {
		p, bad := parsePrefix(e.value.AsString())
		if bad != nil {
			l.report.errorAt(e.rng, bad.summary, bad.detail)
			continue
		}
		m.Sources = append(m.Sources, p)
		m.written = append(m.written, writtenPrefix{p, e.rng})
	}
	m.ports = a.rangeOf("ports")
	ports, _ := l.ports(a)
	for _, p := range ports {
		m.Ports = append(m.Ports, p.PortRange)
	}
	m.Sources = mergePrefixes(m.Sources)
	m.Ports = mergePorts(m.Ports)
	if !a.has("sources") && !a.has("ports") {
		l.report.errorAt(b.DefRange, "Missing argument", "The management block needs the argument \"sources\" or \"ports\".")
	}
	l.management = m
}

var capacitySchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "concurrent_connections"}, {Name: "new_connections"}}}

// maxConnections bounds a declared capacity far above what one host can hold in memory.
const maxConnections = 1 << 31

func (l *loader) decodeCapacity(blocks hcl.Blocks) {
	b := l.single(blocks)
	if b == nil {
		return
	}
	a := l.args(b.Body, capacitySchema, "The capacity block", "concurrent_connections", "new_connections")
	c := &Capacity{Range: rangeOf(b.DefRange)}
	if !a.has("concurrent_connections") && !a.has("new_connections") {
		l.report.errorAt(b.DefRange, "Missing argument", "The capacity block needs the argument \"concurrent_connections\" or \"new_connections\".")
	}
	c.ConcurrentConnections, _ = a.whole("concurrent_connections", 1, maxConnections)
	c.NewConnections, _ = a.rate("new_connections", maxConnections)
	l.bundle.Capacity = c
}

// rate reads a rate such as "20/60s".
func (a args) rate(name string, most uint64) (Rate, bool) {
	text, rng, ok := a.text(name)
	if !ok {
		return Rate{}, false
	}
	r, err := parseRate(text, most)
	if err != nil {
		a.l.report.errorAt(rng, "Bad rate", fmt.Sprintf("%s.", err))
		return Rate{}, false
	}
	return r, true
}
