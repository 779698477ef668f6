package status

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
)

func TestTableNames(t *testing.T) {
	for rest, want := range map[string][2]string{
		"connection_limit.v4.3622931a":    {"connection_limit", "ipv4"},
		"rate_limit.total.6738b1ea":       {"rate_limit", "total"},
		"ban.v6":                          {"ban", "ipv6"},
		"ban.v6.net":                      {"ban.net", "ipv6"},
		"ban.strikes.0badcafe.v4":         {"ban.strikes", "ipv4"},
		"ban.level2.v6":                   {"ban.level2", "ipv6"},
		"syn_flood.meter.12345678.v4":     {"syn_flood.meter", "ipv4"},
		"shadow.v4":                       {"shadow", "ipv4"},
		"something.new":                   {"something.new", ""},
		"connection_limit.v4.not_a_hash!": {"connection_limit.not_a_hash!", "ipv4"},
	} {
		if name, fam := tableOf(rest); name != want[0] || fam != want[1] {
			t.Errorf("%s is %q of %q, want %q", rest, name, fam, want)
		}
	}
}

func TestObjectsOfPolicies(t *testing.T) {
	for object, want := range map[string][2]string{
		"policy.web.ban.added": {"web", "ban.added"},
		"policy.web":           {"web", ""},
		"ban.v4":               {},
		"policy.":              {},
		"list.policy.v4":       {},
	} {
		name, rest, ok := objectOf(object)
		if ok != (want[0] != "") || ok && (name != want[0] || rest != want[1]) {
			t.Errorf("%s is %q of %q (%v), want %q", object, rest, name, ok, want)
		}
	}
}

// live is a kernel with a policy that is declared and one that is not.
func live() *nft.Live {
	counter := func(name string, packets uint64) enforcer.Counter {
		return enforcer.Counter{Name: name, Packets: packets, Bytes: packets * 60}
	}
	return &nft.Live{
		Exists: true,
		Counters: []enforcer.Counter{
			counter("ban", 9), counter("management.ssh", 1), counter("policy.old.only", 4), counter("policy.web.accepted", 100),
			counter("policy.web.allow", 7), counter("policy.web.ban.added", 1), counter("policy.web.connection_limit", 5),
			counter("policy.web.connection_limit.full", 2), counter("policy.web.deny", 3), counter("policy.web.later", 1),
			counter("policy.web.syn_flood.challenged", 6),
		},
		Sets: []enforcer.Set{
			{Name: "ban.v4", Expires: true, Size: 1 << 20, Count: 3},
			{Name: "ban.v4.net", Expires: true, Interval: true, Size: 2 << 20, Count: 1},
			{Name: "list.bad.v4", Count: 10},
			{Name: "policy.old.shadow.v4", Dynamic: true, Timeout: time.Hour, Size: 65536, Count: 1},
			{Name: "policy.web.allow.v4", Count: 1},
			{Name: "policy.web.ban.v4", Dynamic: true, Expires: true, Size: 100, Count: -1},
			{Name: "policy.web.connection_limit.v4.3622931a", Dynamic: true, Size: 200, Count: 50},
		},
	}
}

func TestPoliciesAreThoseDeclaredAndThoseHeld(t *testing.T) {
	bundle := &policy.Bundle{Policies: []policy.Policy{
		{Name: "off", Mode: policy.ModeOff, Protocol: policy.TCP, Path: policy.PathInput},
		{Name: "web", Mode: policy.ModeEnforce, Protocol: policy.TCP, Path: policy.PathInput, Ports: []policy.PortRange{{First: 80, Last: 80}},
			Connection: &policy.ConnectionLimit{Grouping: policy.Grouping{OnFull: policy.OnFullPass}}},
	}}
	got := policies(bundle, live(), map[string][]policy.PortRange{"old": {{First: 21, Last: 21}}, "web": {{First: 1, Last: 1}}})
	if len(got) != 3 || got[0].Name != "off" || got[1].Name != "old" || got[2].Name != "web" {
		t.Fatalf("policies are %+v, want off, old and web", got)
	}
	off, old, web := got[0], got[1], got[2]
	if off.Held || !off.Declared || off.Mode != policy.ModeOff {
		t.Errorf("off is %+v: declared, and nothing of it is in the kernel", off)
	}
	if !old.Held || old.Declared || !old.Monitored() || old.Ports[0].First != 21 || old.Refusals[0].Packets != 4 {
		t.Errorf("old is %+v: known from the kernel, which shows that it monitors", old)
	}
	want := []Refusal{
		{"deny", Refused, Traffic{3, 180}}, {"syn_flood.challenged", Challenged, Traffic{6, 360}},
		{"connection_limit", Refused, Traffic{5, 300}}, {"connection_limit.full", Passed, Traffic{2, 120}},
		{"ban.added", Banned, Traffic{1, 60}}, {"later", Refused, Traffic{1, 60}},
	}
	if !slices.Equal(web.Refusals, want) {
		t.Errorf("web refused\n%+v\nwant\n%+v", web.Refusals, want)
	}
	if web.Accepted.Packets != 100 || web.Allowed.Packets != 7 || web.Ports[0].First != 80 {
		t.Errorf("web is %+v", web)
	}
	if len(web.Tables) != 2 || web.Tables[1].Percent() != 25 || Bans(web.Tables) != -1 {
		t.Errorf("tables are %+v: the limit's a quarter full, bans not known", web.Tables)
	}
}

func TestHostBans(t *testing.T) {
	b := hostBans(live())
	if b.Dropped.Packets != 9 || Bans(b.Tables) != 4 || len(b.Tables) != 2 || b.Tables[1].Size != 1<<20 {
		t.Errorf("bans are %+v: want 3 addresses and 1 range of a million each", b)
	}
}

func TestInSync(t *testing.T) {
	for _, c := range []struct {
		name string
		sync Sync
		want bool
	}{
		{"nothing to do", Sync{}, true},
		{"something to repair", SyncOf(&reconcile.Plan{Summary: reconcile.Summary{Repair: 1}}), false},
		{"not known", Sync{Unknown: "the policy has 1 error"}, false},
	} {
		if got := c.sync.InSync(); got != c.want {
			t.Errorf("%s: in sync is %v", c.name, got)
		}
	}
}

func TestTopSources(t *testing.T) {
	element := func(addr string, packets uint64) nft.CountedElement {
		return nft.CountedElement{Addr: netip.MustParseAddr(addr), Packets: packets, Timeout: time.Hour, Left: 45 * time.Minute}
	}
	elements := []nft.CountedElement{element("192.0.2.9", 5), element("192.0.2.1", 5), element("2001:db8::", 70), element("192.0.2.5", 1)}
	for n, want := range map[int][]string{
		0: {}, 1: {"2001:db8::/64"}, 3: {"2001:db8::/64", "192.0.2.1", "192.0.2.9"},
		9: {"2001:db8::/64", "192.0.2.1", "192.0.2.9", "192.0.2.5"},
	} {
		var got []string
		for _, s := range top(slices.Clone(elements), n) {
			got = append(got, s.Name)
			if s.LastSeen != 15*time.Minute || s.Expires != 45*time.Minute {
				t.Errorf("%+v: want it seen a quarter of an hour ago", s)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("top %d is %q, want %q", n, got, want)
		}
	}
}

func TestListenersBehindPolicies(t *testing.T) {
	any4, one := netip.IPv4Unspecified(), netip.MustParseAddr("192.0.2.10")
	bundle := &policy.Bundle{Policies: []policy.Policy{{Name: "web", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}}}}
	web := Policy{Name: "web", Ports: []policy.PortRange{{First: 80, Last: 90}}}
	with := func(change func(*Policy)) Policy { p := web; change(&p); return p }
	for _, c := range []struct {
		name   string
		addr   netip.Addr
		port   uint16
		policy Policy
		want   bool
	}{
		{"on all addresses", any4, 80, web, true},
		{"on an address that is named", one, 90, web, true},
		{"mapped into IPv6", netip.AddrFrom16(one.As16()), 90, web, true},
		{"on another address", netip.MustParseAddr("192.0.2.99"), 80, web, false},
		{"on another port", any4, 91, web, false},
		{"behind this host", any4, 80, with(func(p *Policy) { p.Path = policy.PathForward }), false},
		{"of another protocol", any4, 80, with(func(p *Policy) { p.Protocol = policy.UDP }), false},
		{"of a policy that is off", any4, 80, with(func(p *Policy) { p.Mode = policy.ModeOff }), false},
	} {
		got := guarded([]host.Listener{{Address: c.addr, Port: c.port}}, []Policy{c.policy}, bundle)
		if len(got) == 1 != c.want {
			t.Errorf("%s: found %+v", c.name, got)
		}
	}
}

func TestPortsThatTheKernelHolds(t *testing.T) {
	to := func(chain string) *enforcer.Verdict { return &enforcer.Verdict{Kind: enforcer.Goto, Chain: chain} }
	iface := append([]byte("eth0"), make([]byte, 12)...)
	rs := &enforcer.Ruleset{Sets: []enforcer.Set{
		{Name: "input.tcp.port", Verdicts: true, Key: []enforcer.KeyType{enforcer.KeyPort}, Elements: []enforcer.Element{
			{Key: []byte{1, 187}, Verdict: to("policy.web")},
			{Key: []byte{0, 80}, KeyEnd: []byte{0, 90}, Verdict: to("policy.web")},
		}},
		{Name: "input.tcp.iface", Verdicts: true, Key: []enforcer.KeyType{enforcer.KeyIfname, enforcer.KeyPort}, Elements: []enforcer.Element{
			{Key: append(slices.Clone(iface), 0, 22, 0, 0), Verdict: to("policy.ssh")},
		}},
		{Name: "input.udp.port", Verdicts: true, Key: []enforcer.KeyType{enforcer.KeyPort}, Elements: []enforcer.Element{
			{Key: []byte{0, 53}, Verdict: to("policy.dns")},
		}},
		{Name: "management.port", Key: []enforcer.KeyType{enforcer.KeyPort}},
	}}
	want := map[string][]policy.PortRange{"web": {{First: 80, Last: 90}, {First: 443, Last: 443}}, "ssh": {{First: 22, Last: 22}}}
	if got := heldPorts(rs); !reflect.DeepEqual(got, want) {
		t.Errorf("ports are %v, want %v", got, want)
	}
}
