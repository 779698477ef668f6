package enforcer

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// A packet finds its policy by verdict maps, so that its cost does not grow with their number. Policies narrow
// themselves by port alone, or also by interface, by destination address, or by both: one map for each shape in use.
// No two policies cover the same packet (policy.Load refuses that), so at most one map answers and their order has no
// meaning.

// shape is one way of narrowing; fields other than the port.
type shape struct {
	name   string
	fields []FieldName
}

var shapes = []shape{
	{"iface", []FieldName{Iifname}},
	{"iface_addr4", []FieldName{Iifname, IPDaddr}},
	{"iface_addr6", []FieldName{Iifname, IP6Daddr}},
	{"port", nil},
	{"addr4", []FieldName{IPDaddr}},
	{"addr6", []FieldName{IP6Daddr}},
}

func (s shape) byInterface() bool { return len(s.fields) > 0 && s.fields[0] == Iifname }

func portFieldName(p policy.Protocol) FieldName {
	if p == policy.UDP {
		return UDPDport
	}
	return TCPDport
}

// dispatchTo sends the policy's packets at a hook to a chain.
func (c *compiler) dispatchTo(hook Hook, p *policy.Policy, chain string) {
	verdict := &Verdict{Kind: Goto, Chain: chain}
	address := "policy." + p.Name
	interfaces := p.Interfaces
	if len(interfaces) == 0 {
		interfaces = []string{""}
	}
	addresses := p.Addresses
	if len(addresses) == 0 {
		addresses = []netip.Prefix{{}}
	}
	if slices.Contains(p.Interfaces, "lo") {
		if c.loopback == nil {
			c.loopback = map[Hook]bool{}
		}
		c.loopback[hook] = true
	}
	for _, name := range interfaces {
		for _, addr := range addresses {
			for _, ports := range p.Ports {
				c.cell(hook, p.Protocol, address, name, addr, ports, verdict)
			}
		}
	}
}

// cell adds one element to the map of its shape. A map holds ranges as soon as one of its elements is one.
func (c *compiler) cell(hook Hook, proto policy.Protocol, address, iface string, addr netip.Prefix, ports policy.PortRange, verdict *Verdict) {
	var fields []keyField
	var key []KeyType
	name := ""
	if iface != "" {
		fields, key, name = append(fields, ifnameField(iface)), append(key, KeyIfname), "iface"
	}
	ranged := ports.First != ports.Last
	if addr.IsValid() {
		family, kind := "addr4", KeyIPv4
		if addr.Addr().Is6() {
			family, kind = "addr6", KeyIPv6
		}
		fields, key, name = append(fields, prefixField(addr)), append(key, kind), strings.TrimPrefix(name+"_"+family, "_")
		ranged = ranged || !addr.IsSingleIP()
	}
	if name == "" {
		name = "port"
	}
	fields, key = append(fields, portField(ports.First, ports.Last)), append(key, KeyPort)

	full := mapName(hook, proto, name)
	m := c.dispatch[full]
	if m == nil {
		m = &Set{Name: full, Address: pipelineAddress, Key: key, Verdicts: true}
		c.dispatch[full] = m
	}
	e := element(fields, true, verdict)
	if ranged && !m.Interval {
		m.Interval = true
		for i := range m.Elements {
			m.Elements[i].KeyEnd = m.Elements[i].Key
		}
	}
	if !m.Interval {
		e.KeyEnd = nil
	}
	e.Address = address
	m.Elements = append(m.Elements, e)
}

// lookups gives the hook's map lookups, those by interface apart because loopback is exempt from the others.
func (c *compiler) lookups(hook Hook) (byInterface, others []Statement) {
	for _, proto := range []policy.Protocol{policy.TCP, policy.UDP} {
		for _, s := range shapes {
			name := mapName(hook, proto, s.name)
			if c.dispatch[name] == nil {
				continue
			}
			lookup := VerdictMap{Map: name}
			for _, f := range append(slices.Clone(s.fields), portFieldName(proto)) {
				lookup.Fields = append(lookup.Fields, Field{Name: f})
			}
			if s.byInterface() {
				byInterface = append(byInterface, lookup)
			} else {
				others = append(others, lookup)
			}
		}
	}
	return byInterface, others
}

func hookOfMap(name string) Hook {
	hook, _, _ := strings.Cut(name, ".")
	return Hook(hook)
}

func compareElements(a, b Element) int { return bytes.Compare(a.Key, b.Key) }

func sortElements(e []Element) { slices.SortFunc(e, compareElements) }
