package enforcer

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func grouping(per policy.Per, full policy.OnFull) policy.Grouping {
	return policy.Grouping{Per: per, IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 65536, OnFull: full}
}

func addresses(t testing.TB, texts ...string) *addrset.Set {
	t.Helper()
	s, err := addrset.Parse(strings.NewReader(strings.Join(texts, "\n")), addrset.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func ports(first, last uint16) []policy.PortRange {
	return []policy.PortRange{{First: first, Last: last}}
}

// service is a policy with the defaults of the language.
func webPolicy(name string, p []policy.PortRange) policy.Policy {
	return policy.Policy{
		Name: name, Protocol: policy.TCP, Ports: p, Path: policy.PathInput, Mode: policy.ModeEnforce,
		Range: policy.Range{File: "web.hcl", Line: 1, Column: 1},
	}
}

// everyShape declares each rule shape that Compile can make.
func everyShape(t testing.TB) map[string]*policy.Bundle {
	connection := func(g policy.Grouping, a policy.Action) *policy.ConnectionLimit {
		return &policy.ConnectionLimit{Grouping: g, Max: 5, Action: a}
	}
	rate := func(g policy.Grouping, w policy.Window) *policy.RateLimit {
		return &policy.RateLimit{Grouping: g, Rate: policy.Rate{Count: 20, Interval: time.Minute}, Burst: 20, Window: w, Action: policy.ActionDrop}
	}
	lists := []policy.List{
		{Name: "apps", Addresses: addresses(t, "192.0.2.10", "192.0.2.16-192.0.2.40", "2001:db8:a::/64")},
		{Name: "bad", Addresses: addresses(t, "198.51.100.7", "198.51.100.128/25", "2001:db8:bad::1", "2001:db8:bad:1::/64", "0.0.0.0/8", "255.255.255.0/24")},
		{Name: "web.allow", Anonymous: true, Addresses: addresses(t, "203.0.113.9")},
	}
	limits := webPolicy("web", []policy.PortRange{{First: 80, Last: 80}, {First: 443, Last: 443}})
	limits.Connection = connection(grouping(policy.PerSource, policy.OnFullDrop), policy.ActionReset)
	limits.Rate = rate(grouping(policy.PerSource, policy.OnFullPass), policy.WindowToken)

	masked := webPolicy("masked", ports(8000, 8010))
	g := grouping(policy.PerSource, policy.OnFullDrop)
	g.IPv4Prefix, g.IPv6Prefix, g.TableSize = 24, 56, 2
	masked.Connection, masked.Rate = connection(g, policy.ActionDrop), rate(g, policy.WindowFixed)

	total := webPolicy("total", ports(25, 25))
	total.Connection = connection(grouping(policy.PerTotal, policy.OnFullDrop), policy.ActionReset)
	total.Rate = rate(grouping(policy.PerTotal, policy.OnFullDrop), policy.WindowToken)

	access := limits
	access.Allow, access.Deny, access.Only = []string{"web.allow"}, []string{"bad"}, []string{"apps"}

	monitor := access
	monitor.Mode = policy.ModeMonitor

	forward := webPolicy("plc", ports(502, 502))
	forward.Path, forward.Deny = policy.PathForward, []string{"bad"}
	forward.Connection = connection(grouping(policy.PerSource, policy.OnFullDrop), policy.ActionDrop)

	narrow := webPolicy("narrow", []policy.PortRange{{First: 443, Last: 443}, {First: 9000, Last: 9010}})
	narrow.Interfaces = []string{"eth0", "eth1.100"}
	narrow.Addresses = prefixes("203.0.113.10/32", "2001:db8::/64")
	narrow.Connection = connection(grouping(policy.PerSource, policy.OnFullDrop), policy.ActionDrop)
	byAddress := webPolicy("by-address", ports(443, 443))
	byAddress.Addresses = prefixes("203.0.113.11/32", "2001:db8:1::1/128")
	byAddress.Deny = []string{"bad"}
	loopback := webPolicy("loopback", ports(443, 443))
	loopback.Interfaces = []string{"lo"}
	loopback.Connection = connection(grouping(policy.PerSource, policy.OnFullDrop), policy.ActionDrop)

	udp := webPolicy("dns", ports(53, 53))
	udp.Protocol = policy.UDP
	udp.Rate = rate(grouping(policy.PerSource, policy.OnFullDrop), policy.WindowToken)

	flood := func(p policy.Policy, protect policy.Protect) policy.Policy {
		p.SYNFlood = &policy.SYNFlood{
			Protect: protect, Threshold: policy.Rate{Count: 500, Interval: time.Second}, Rate: policy.Rate{Count: 24000, Interval: time.Second},
			MSS4: 1460, MSS6: 1440, WScale: 7, SACK: true,
		}
		return p
	}
	ban := func(p policy.Policy, proof policy.Proof, escalate ...uint32) policy.Policy {
		p.Ban = &policy.Ban{
			After: policy.Rate{Count: 20, Interval: time.Minute}, For: 10 * time.Minute, Escalate: escalate, Proof: proof,
			IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 65536,
		}
		return p
	}
	logged := func(p policy.Policy, target policy.LogTarget) policy.Policy {
		p.Log = &policy.Log{Rate: policy.Rate{Count: 5, Interval: time.Minute}, Burst: 5, Target: target, Group: 3}
		return p
	}
	auto := logged(ban(flood(access, policy.ProtectAuto), policy.ProofHandshake, 1, 6, 144), policy.LogKernel)
	monitored := auto
	monitored.Mode = policy.ModeMonitor
	low := flood(limits, policy.ProtectAuto)
	low.SYNFlood.Rate.Count = 200

	sources := policy.Management{Sources: prefixes("198.51.100.0/24", "198.51.100.128/25", "2001:db8:5::/48"), Ports: ports(22, 22)}
	bundle := func(m policy.Management, policies ...policy.Policy) *policy.Bundle {
		return &policy.Bundle{Management: m, Lists: lists, Policies: policies}
	}
	none := policy.Management{}
	return map[string]*policy.Bundle{
		"limits":           bundle(none, limits),
		"masked":           bundle(none, masked),
		"total":            bundle(none, total),
		"access":           bundle(sources, access),
		"monitor":          bundle(sources, monitor),
		"forward":          bundle(none, forward),
		"narrow":           bundle(none, narrow, byAddress, loopback),
		"udp":              bundle(none, udp, limits),
		"management-ports": bundle(policy.Management{Ports: []policy.PortRange{{First: 22, Last: 22}, {First: 2200, Last: 2210}}}, limits),
		"auto":             bundle(sources, auto),
		"auto-forward":     bundle(none, flood(forward, policy.ProtectAuto)),
		"auto-monitor":     bundle(none, monitored),
		"auto-low-rate":    bundle(none, low),
		"synproxy":         bundle(none, flood(narrow, policy.ProtectSynproxy)),
		"cookies":          bundle(none, logged(flood(access, policy.ProtectCookies), policy.LogNflog)),
		"ban-unproven":     bundle(none, ban(flood(limits, policy.ProtectAuto), policy.ProofNone, 1)),
		"ban-first":        bundle(none, func() policy.Policy { p := ban(limits, policy.ProofNone, 1); p.Ban.After.Count = 1; return p }()),
		"everything":       bundle(sources, limits, masked, total, forward, narrow, byAddress, udp),
	}
}

func text(t testing.TB, r *Ruleset) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The golden files are the reviewed form of every rule shape; that nft lists them identically is shown with a kernel
// in golden_kernel_test.go.
func TestCompileGolden(t *testing.T) {
	for name, bundle := range everyShape(t) {
		t.Run(name, func(t *testing.T) {
			r, err := Compile(bundle)
			if err != nil {
				t.Fatal(err)
			}
			got, file := text(t, r), filepath.Join("testdata", name+".nft")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs; run go test -update and review\n%s", file, got)
			}
		})
	}
}
