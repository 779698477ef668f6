package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// webBundle is one policy with a connection limit, as web.hcl would declare it.
func webBundle(limit uint32) *policy.Bundle {
	return &policy.Bundle{Policies: []policy.Policy{guard("web", 443, limit)}}
}

func guard(name string, port uint16, limit uint32) policy.Policy {
	at := func(line int) policy.Range { return policy.Range{File: name + ".hcl", Line: line, Column: 1} }
	return policy.Policy{
		Name: name, Protocol: policy.TCP, Path: policy.PathInput, Mode: policy.ModeEnforce, Range: at(1),
		Ports: []policy.PortRange{{First: port, Last: port}},
		Connection: &policy.ConnectionLimit{
			Grouping: policy.Grouping{
				Per: policy.PerSource, IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 65536, OnFull: policy.OnFullDrop,
			},
			Max: limit, Action: policy.ActionDrop, Range: at(3),
		},
	}
}

// withDeny adds a list and lets the first policy deny it.
func withDeny(t *testing.T, b *policy.Bundle, addresses ...string) *policy.Bundle {
	t.Helper()
	var set addrset.Builder
	for _, a := range addresses {
		if err := set.AddText(a); err != nil {
			t.Fatal(err)
		}
	}
	b.Lists = append(b.Lists, policy.List{Name: "blocklist", Addresses: set.Build()})
	b.Policies[0].Deny = []string{"blocklist"}
	return b
}

func withSysctl(b *policy.Bundle, key, want string) *policy.Bundle {
	b.Sysctls = append(b.Sysctls, policy.Sysctl{
		Key: key, Want: []string{want}, Bound: policy.Exact, OnMissing: policy.MissingError, OnRemove: policy.RemoveRestore,
		Range: policy.Range{File: "web.hcl", Line: 29, Column: 1},
	})
	return b
}

func (h *fakeHost) mustApply(t *testing.T, b *policy.Bundle) *Report {
	t.Helper()
	report, err := h.Apply(context.Background(), b, ApplyOptions{})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return report
}

func (h *fakeHost) mustPlan(t *testing.T, b *policy.Bundle) *Plan {
	t.Helper()
	plan, err := h.Plan(context.Background(), b)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return plan
}

// tell writes changes as "action address" lines.
func tell(p *Plan) string {
	var lines []string
	for _, c := range p.Changes {
		lines = append(lines, fmt.Sprintf("%s %s", c.Action, c.Address))
	}
	return strings.Join(lines, "\n")
}

func expectChanges(t *testing.T, p *Plan, want ...string) {
	t.Helper()
	if got := tell(p); got != strings.Join(want, "\n") {
		t.Errorf("changes:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func find(t *testing.T, p *Plan, address string) Change {
	t.Helper()
	i := slices.IndexFunc(p.Changes, func(c Change) bool { return c.Address == address })
	if i < 0 {
		t.Fatalf("no change of %s in:\n%s", address, tell(p))
	}
	return p.Changes[i]
}

func first(r *enforcer.Ruleset, _ uint32, _ error) *enforcer.Ruleset { return r }
