package reconcile

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/policy"
)

func TestASecondApplyHasNothingToDo(t *testing.T) {
	h := newFakeHost(t)
	b := withSysctl(withDeny(t, webBundle(64), "192.0.2.1", "198.51.100.0/24"), "net.core.somaxconn", "4096")
	first := h.mustApply(t, b)
	if first.Outcome != OutcomeApplied || !first.Verified {
		t.Errorf("first apply: %s, verified %v", first.Outcome, first.Verified)
	}
	expectChanges(t, first.Plan, "create list.blocklist", "create pipeline", "create policy.web",
		"create policy.web.connection_limit", "create policy.web.deny", `update sysctl["net.core.somaxconn"]`)
	second := h.mustApply(t, b)
	if second.Outcome != OutcomeUnchanged || !second.Plan.Empty() || h.kernel.commits != 1 {
		t.Errorf("second apply: %s, %d commits, changes:\n%s", second.Outcome, h.kernel.commits, tell(second.Plan))
	}
}

func TestPlanTellsWhatHappened(t *testing.T) {
	base := func(t *testing.T) *policy.Bundle {
		return withSysctl(withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.9"), "net.core.somaxconn", "4096")
	}
	tests := []struct {
		name string
		do   func(*testing.T, *fakeHost)
		now  func(*testing.T) *policy.Bundle // nil: as before
		want []string
	}{
		{name: "nothing", do: func(*testing.T, *fakeHost) {}},
		{
			name: "a limit changed",
			now: func(t *testing.T) *policy.Bundle {
				b := base(t)
				b.Policies[0].Connection.Max = 100
				return b
			},
			want: []string{"update policy.web.connection_limit"},
		},
		{
			name: "a policy was added",
			now: func(t *testing.T) *policy.Bundle {
				b := base(t)
				b.Policies = append(b.Policies, guard("zulu", 22, 5))
				return b
			},
			want: []string{"create policy.zulu", "create policy.zulu.connection_limit"},
		},
		{
			name: "a list changed",
			now: func(t *testing.T) *policy.Bundle {
				return withSysctl(withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.7"), "net.core.somaxconn", "4096")
			},
			want: []string{"update list.blocklist"},
		},
		{
			name: "a list came to hold IPv6 too, which its policy's rules must look up",
			now: func(t *testing.T) *policy.Bundle {
				return withSysctl(withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.9", "2001:db8::1"), "net.core.somaxconn", "4096")
			},
			want: []string{"update list.blocklist"},
		},
		{
			name: "a policy and a sysctl are gone",
			now:  func(t *testing.T) *policy.Bundle { return &policy.Bundle{} },
			want: []string{"delete list.blocklist", "delete pipeline", "delete policy.web", "delete policy.web.connection_limit",
				"delete policy.web.deny", `delete sysctl["net.core.somaxconn"]`},
		},
		{
			name: "somebody deleted a rule",
			do: func(_ *testing.T, h *fakeHost) {
				c := h.kernel.chain("policy.web")
				c.Rules = slices.DeleteFunc(c.Rules, func(r enforcer.Rule) bool {
					return strings.HasPrefix(r.Comment, "policy.web.connection_limit ")
				})
			},
			want: []string{"repair policy.web.connection_limit"},
		},
		{
			name: "somebody deleted the table",
			do:   func(_ *testing.T, h *fakeHost) { h.kernel.rules = enforcer.Ruleset{} },
			want: []string{"repair list.blocklist", "repair pipeline", "repair policy.web", "repair policy.web.connection_limit",
				"repair policy.web.deny"},
		},
		{
			name: "somebody wrote a sysctl",
			do:   func(_ *testing.T, h *fakeHost) { h.settings.values["net.core.somaxconn"] = []string{"99"} },
			want: []string{`repair sysctl["net.core.somaxconn"]`},
		},
		{
			name: "somebody added a chain of their own",
			do: func(_ *testing.T, h *fakeHost) {
				h.kernel.rules.Chains = append(h.kernel.rules.Chains, enforcer.Chain{Name: "zz-mine"})
			},
			want: []string{"repair pipeline"},
		},
		{
			name: "somebody changed an element count behind our back",
			do:   func(_ *testing.T, h *fakeHost) { h.kernel.set("list.blocklist.v4").Count = 1 },
			want: []string{"repair list.blocklist"},
		},
		{
			name: "the record was lost and a limit changed",
			do: func(t *testing.T, h *fakeHost) {
				if err := os.Remove(h.store.path(appliedFile)); err != nil {
					t.Fatal(err)
				}
			},
			now: func(t *testing.T) *policy.Bundle {
				b := base(t)
				b.Policies[0].Connection.Max = 100
				b.Policies = append(b.Policies, guard("zulu", 22, 5))
				return b
			},
			want: []string{"update policy.web.connection_limit", "create policy.zulu", "create policy.zulu.connection_limit"},
		},
		{
			name: "the record was lost and a rule too",
			do: func(t *testing.T, h *fakeHost) {
				if err := os.Remove(h.store.path(appliedFile)); err != nil {
					t.Fatal(err)
				}
				c := h.kernel.chain("policy.web")
				c.Rules = c.Rules[1:]
			},
			want: []string{"repair policy.web.deny"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			h.mustApply(t, base(t))
			if tt.do != nil {
				tt.do(t, h)
			}
			now := base
			if tt.now != nil {
				now = tt.now
			}
			expectChanges(t, h.mustPlan(t, now(t)), tt.want...)
			// Whatever it was, one apply ends it.
			h.mustApply(t, now(t))
			if again := h.mustPlan(t, now(t)); !again.Empty() {
				t.Errorf("after the apply there is still:\n%s", tell(again))
			}
		})
	}
}

func TestAnUpdateSaysWhatChangesAndWhatItCosts(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, webBundle(64))
	c := find(t, h.mustPlan(t, webBundle(100)), "policy.web.connection_limit")
	diff := Changed(c.Before, c.After)
	want := []AttributeChange{{Name: "max", Before: "64", After: "100", HasBefore: true, HasAfter: true}}
	if !slices.Equal(diff, want) {
		t.Errorf("attributes: %+v, want %+v", diff, want)
	}
	if !slices.Contains(c.Notes, noteRestarts) {
		t.Errorf("notes %q do not warn that counting starts anew", c.Notes)
	}
	if c.Range.String() != "web.hcl:3" {
		t.Errorf("range %s, want web.hcl:3", c.Range)
	}
}

func TestALostRecordIsSaid(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, webBundle(64))
	if err := os.Remove(h.store.path(appliedFile)); err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(h.mustPlan(t, webBundle(100)).Notes, "\n")
	if !strings.Contains(notes, "no record of an earlier apply") {
		t.Errorf("notes: %s", notes)
	}
}

func TestALastingTableIsExplainedAfterARestart(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
	h.kernel.rules = enforcer.Ruleset{}
	h.settings.values["net.core.somaxconn"] = []string{"128"}
	h.machine.epoch = "boot 2"
	plan := h.mustPlan(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
	if notes := strings.Join(plan.Notes, "\n"); !strings.Contains(notes, "restarted") {
		t.Errorf("notes: %s", notes)
	}
	if c := find(t, plan, `sysctl["net.core.somaxconn"]`); !strings.Contains(c.Reason, "since a restart") {
		t.Errorf("reason: %s", c.Reason)
	}
}

func TestAChangedListIsADelta(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.2", "192.0.2.3"))
	plan := h.mustPlan(t, withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.2", "192.0.2.4"))
	added, removed := 0, 0
	for _, op := range plan.work.delta.Transaction.Ops {
		if op.Members == nil {
			continue
		}
		if op.Verb == enforcer.Add {
			added += op.Members.Len()
		} else {
			removed += op.Members.Len()
		}
	}
	if added != 1 || removed != 1 {
		t.Errorf("%d elements added and %d removed, want 1 and 1", added, removed)
	}
}
