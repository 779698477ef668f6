package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

func TestUnusedListContentsAreDropped(t *testing.T) {
	h := newFakeHost(t)
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		h.mustApply(t, withDeny(t, webBundle(64), a))
	}
	entries, err := os.ReadDir(h.store.path(contentsDir))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files of list contents are kept, want 1", len(entries))
	}
}

func TestAFailingSysctlPutsEverythingBack(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withDeny(t, webBundle(64), "192.0.2.1"))
	before := stateHash(first(h.kernel.Read()), nil)
	h.settings.broken["net.ipv4.tcp_syncookies"] = errors.New("input/output error")
	b := withDeny(t, webBundle(100), "192.0.2.2")
	b = withSysctl(withSysctl(b, "net.core.somaxconn", "4096"), "net.ipv4.tcp_syncookies", "1")
	report, err := h.Apply(context.Background(), b, ApplyOptions{})
	var rolledBack *ErrRolledBack
	if !errors.As(err, &rolledBack) {
		t.Fatalf("error %v, want ErrRolledBack", err)
	}
	for _, want := range []string{`sysctl["net.ipv4.tcp_syncookies"]`, "web.hcl:29", "input/output error"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if report.Outcome != OutcomeRolledBack || len(report.Applied) != 0 {
		t.Errorf("report: %s, applied %v", report.Outcome, report.Applied)
	}
	if after := stateHash(first(h.kernel.Read()), nil); after != before {
		t.Error("the table is not what it was")
	}
	if v := h.settings.values["net.core.somaxconn"]; v[0] != "128" {
		t.Errorf("net.core.somaxconn is %v, want what was found", v)
	}
	if plan := h.mustPlan(t, withDeny(t, webBundle(64), "192.0.2.1")); !plan.Empty() || len(plan.Notes) > 0 {
		t.Errorf("after the rollback:\n%s\n%v", tell(plan), plan.Notes)
	}
	if journal, _ := filepath.Glob(h.store.path("*.json")); len(journal) > 2 {
		t.Errorf("the rollback left %v", journal)
	}
}

func TestAClampedSysctlIsAnErrorThatSaysBothValues(t *testing.T) {
	h := newFakeHost(t)
	h.settings.clamp["net.core.somaxconn"] = []string{"1000"}
	_, err := h.Apply(context.Background(), withSysctl(webBundle(64), "net.core.somaxconn", "4096"), ApplyOptions{})
	var rolledBack *ErrRolledBack
	if !errors.As(err, &rolledBack) || !strings.Contains(err.Error(), "4096") || !strings.Contains(err.Error(), "1000") {
		t.Errorf("error: %v", err)
	}
	if h.kernel.rules.Exists {
		t.Error("the table stayed")
	}
}

func TestAMismatchOnReadingBackRollsBack(t *testing.T) {
	h := newFakeHost(t)
	h.kernel.after = func() {
		h.kernel.after = nil
		c := h.kernel.chain("policy.web")
		c.Rules = c.Rules[:len(c.Rules)-1]
	}
	report, err := h.Apply(context.Background(), webBundle(64), ApplyOptions{})
	var rolledBack *ErrRolledBack
	if !errors.As(err, &rolledBack) {
		t.Fatalf("error %v, want ErrRolledBack", err)
	}
	if len(report.Differences) != 1 || report.Differences[0].Address != "policy.web" || report.Differences[0].Range.File != "web.hcl" {
		t.Errorf("differences: %+v", report.Differences)
	}
	if h.kernel.rules.Exists {
		t.Error("the table stayed")
	}
}

func TestAFailedRollbackIsLoud(t *testing.T) {
	h := newFakeHost(t)
	h.settings.broken["net.core.somaxconn"] = errors.New("broken")
	h.kernel.fail = []error{nil, errors.New("netlink is gone")}
	report, err := h.Apply(context.Background(), withSysctl(webBundle(64), "net.core.somaxconn", "4096"), ApplyOptions{})
	var failed *ErrRollbackFailed
	if !errors.As(err, &failed) || report.Outcome != OutcomeRollbackFailed {
		t.Fatalf("error %v, outcome %s", err, report.Outcome)
	}
	for _, want := range []string{"broken", "netlink is gone", "FAILED"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	// The next run knows.
	if plan := h.mustPlan(t, webBundle(64)); !strings.Contains(strings.Join(plan.Notes, "\n"), "was interrupted") {
		t.Errorf("notes: %v", plan.Notes)
	}
}

func TestARefusedTransactionNamesThePolicyLine(t *testing.T) {
	h := newFakeHost(t)
	h.kernel.fail = []error{&StepError{Step: "commit", Address: "policy.web.connection_limit", Err: errors.New("no such file or directory")}}
	_, err := h.Apply(context.Background(), webBundle(64), ApplyOptions{})
	var rolledBack *ErrRolledBack
	if !errors.As(err, &rolledBack) || !strings.Contains(err.Error(), "policy.web.connection_limit (web.hcl:3)") {
		t.Errorf("error: %v", err)
	}
	if plan := h.mustPlan(t, webBundle(64)); len(plan.Notes) > 0 {
		t.Errorf("a refused transaction left a journal: %v", plan.Notes)
	}
}

func TestMissingPermissionAndFeatureKeepTheirKind(t *testing.T) {
	for _, cause := range []error{
		&ErrPermission{Capability: "CAP_NET_ADMIN", Err: fs.ErrPermission},
		&ErrFeature{Feature: "connection limits", Minimum: "4.18", Err: errors.New("no such file or directory")},
	} {
		h := newFakeHost(t)
		h.kernel.fail = []error{cause}
		_, err := h.Apply(context.Background(), webBundle(64), ApplyOptions{})
		var rolledBack *ErrRolledBack
		if !errors.Is(err, cause) || errors.As(err, &rolledBack) {
			t.Errorf("%T became %v", cause, err)
		}
	}
}

func TestAStaleGenerationIsReadAgain(t *testing.T) {
	h := newFakeHost(t)
	disturbances := 2
	h.kernel.before = func() {
		if disturbances > 0 {
			disturbances--
			h.kernel.generation++
		}
	}
	report := h.mustApply(t, webBundle(64))
	if report.Attempts != 3 || report.Outcome != OutcomeApplied {
		t.Errorf("%d attempts, %s", report.Attempts, report.Outcome)
	}
}

func TestEndlessDisturbanceIsRefused(t *testing.T) {
	h := newFakeHost(t)
	h.kernel.before = func() { h.kernel.generation++ }
	_, err := h.Apply(context.Background(), webBundle(64), ApplyOptions{})
	var refusal *ErrRefused
	if !errors.As(err, &refusal) {
		t.Errorf("error %v, want ErrRefused", err)
	}
	if h.kernel.commits != 0 {
		t.Error("something was committed")
	}
	if left, _ := h.store.loadPending(); left != nil {
		t.Error("a pending journal stayed")
	}
}

func TestAnApprovedPlanHoldsForItsPolicyAndStateOnly(t *testing.T) {
	tests := []struct {
		name   string
		change func(*fakeHost, *policy.Bundle)
		want   string // "" when it still holds
	}{
		{"nothing changed", func(*fakeHost, *policy.Bundle) {}, ""},
		{"another table changed", func(h *fakeHost, _ *policy.Bundle) { h.kernel.generation++ }, ""},
		{"a description changed", func(_ *fakeHost, b *policy.Bundle) { b.Policies[0].Description = "x" }, ""},
		{"the policy moved to another file", func(_ *fakeHost, b *policy.Bundle) { b.Policies[0].Range.File = "b.hcl" }, ""},
		{"the policy changed", func(_ *fakeHost, b *policy.Bundle) { b.Policies[0].Connection.Max++ }, "the policy changed"},
		{"our table changed", func(h *fakeHost, _ *policy.Bundle) { h.kernel.chain("policy.web").Rules = nil }, "the host changed"},
		{"a managed sysctl changed", func(h *fakeHost, _ *policy.Bundle) {
			h.settings.values["net.core.somaxconn"] = []string{"5"}
		}, "the host changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			h.mustApply(t, webBundle(64))
			b := withSysctl(webBundle(100), "net.core.somaxconn", "4096")
			plan := h.mustPlan(t, b)
			tt.change(h, b)
			_, err := h.Apply(context.Background(), b, ApplyOptions{Approved: plan})
			var refusal *ErrRefused
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want ErrRefused with %q", err, tt.want)
			}
		})
	}
}

func TestDestroyLeavesTheHostAsFound(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withSysctl(withDeny(t, webBundle(64), "192.0.2.1"), "net.core.somaxconn", "4096"))
	h.kernel.rules.Chains = append(h.kernel.rules.Chains, enforcer.Chain{Name: "zz-mine"})
	report, err := h.Destroy(context.Background(), DestroyOptions{})
	if err != nil || report.Outcome != OutcomeApplied || !report.Verified {
		t.Fatalf("destroy: %v, %+v", err, report)
	}
	if h.kernel.rules.Exists || h.settings.values["net.core.somaxconn"][0] != "128" {
		t.Errorf("left: table %v, somaxconn %v", h.kernel.rules.Exists, h.settings.values["net.core.somaxconn"])
	}
	if _, err := os.Stat(h.store.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("records stayed: %v", err)
	}
	if again, err := h.Destroy(context.Background(), DestroyOptions{}); err != nil || again.Outcome != OutcomeUnchanged {
		t.Errorf("second destroy: %v, %+v", err, again)
	}
}

func TestDestroyCanKeepSysctls(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
	if _, err := h.Destroy(context.Background(), DestroyOptions{KeepSysctl: true}); err != nil {
		t.Fatal(err)
	}
	if v := h.settings.values["net.core.somaxconn"][0]; v != "4096" || h.kernel.rules.Exists {
		t.Errorf("somaxconn %s, table %v", v, h.kernel.rules.Exists)
	}
}

func TestDestroyWorksWhenTheTableIsGoneAndRecordsAreDamaged(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
	h.kernel.rules = enforcer.Ruleset{}
	for _, name := range []string{appliedFile, pendingFile} {
		if err := os.WriteFile(h.store.path(name), []byte("{damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Destroy(context.Background(), DestroyOptions{}); err != nil {
		t.Fatal(err)
	}
	if v := h.settings.values["net.core.somaxconn"][0]; v != "128" {
		t.Errorf("somaxconn %s, want 128", v)
	}
}

func TestDestroyGoesOnPastASysctlThatCannotBeRestored(t *testing.T) {
	h := newFakeHost(t)
	b := withSysctl(withSysctl(webBundle(64), "net.core.somaxconn", "4096"), "net.ipv4.tcp_syncookies", "1")
	h.mustApply(t, b)
	h.settings.broken["net.core.somaxconn"] = errors.New("broken")
	if _, err := h.Destroy(context.Background(), DestroyOptions{}); err == nil || !strings.Contains(err.Error(), "net.core.somaxconn") {
		t.Errorf("error: %v", err)
	}
	if v := h.settings.values["net.ipv4.tcp_syncookies"][0]; v != "0" {
		t.Errorf("tcp_syncookies %s, want 0", v)
	}
	delete(h.settings.broken, "net.core.somaxconn")
	if _, err := h.Destroy(context.Background(), DestroyOptions{}); err != nil {
		t.Fatal(err)
	}
	if v := h.settings.values["net.core.somaxconn"][0]; v != "128" {
		t.Errorf("somaxconn %s, want 128", v)
	}
}

func TestADamagedRecordStopsAnApplyAndSaysWhatToDo(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, webBundle(64))
	path := h.store.path(appliedFile)
	if err := os.WriteFile(path, []byte(`{"format`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := h.Apply(context.Background(), webBundle(100), ApplyOptions{})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("error: %v", err)
	}
	if h.kernel.commits != 1 {
		t.Error("the kernel was touched")
	}
}

func TestADamagedListContentMeansReplacingTheSet(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.2"))
	files, err := filepath.Glob(h.store.path(contentsDir) + "/*")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(files[0], 10); err != nil {
		t.Fatal(err)
	}
	h.mustApply(t, withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.3"))
	if plan := h.mustPlan(t, withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.3")); !plan.Empty() {
		t.Errorf("still:\n%s", tell(plan))
	}
}

func TestAHeldLockIsRefusedAndNamesItsHolder(t *testing.T) {
	h := newFakeHost(t)
	held, err := acquireLock(context.Background(), h.lockPath, 0, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Apply(context.Background(), webBundle(64), ApplyOptions{LockTimeout: time.Millisecond})
	var refusal *ErrRefused
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("error: %v", err)
	}
	if err := held.release(); err != nil {
		t.Fatal(err)
	}
	h.mustApply(t, webBundle(64))
}

func TestWhatIsWrittenIsPrivate(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withSysctl(withDeny(t, webBundle(64), "192.0.2.1"), "net.core.somaxconn", "4096"))
	err := filepath.WalkDir(h.store.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func first(r *enforcer.Ruleset, _ uint32, _ error) *enforcer.Ruleset { return r }
