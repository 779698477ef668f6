package reconcile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

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

func TestAListWhoseContentIsLostCannotBePutBackAndThatIsSaid(t *testing.T) {
	h := newFakeHost(t)
	former := func() *policy.Bundle { return withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.2") }
	h.mustApply(t, former())
	if err := os.RemoveAll(h.store.path(contentsDir)); err != nil {
		t.Fatal(err)
	}
	next := withSysctl(withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.3"), "net.core.somaxconn", "4096")
	if notes := find(t, h.mustPlan(t, next), "list.blocklist").Notes; !strings.Contains(strings.Join(notes, " "), "cannot be put back") {
		t.Errorf("notes %q do not warn", notes)
	}
	h.settings.broken["net.core.somaxconn"] = errors.New("broken")
	_, err := h.Apply(context.Background(), next, ApplyOptions{})
	var failed *ErrRollbackFailed
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "list.blocklist.v4") {
		t.Fatalf("error %v, want ErrRollbackFailed", err)
	}
	// The set has as many elements as before, and still nobody takes them for the former ones.
	plan := h.mustPlan(t, former())
	if find(t, plan, "list.blocklist"); plan.Empty() {
		t.Error("the list passes for what it was")
	}
	h.mustApply(t, former())
	if plan := h.mustPlan(t, former()); !plan.Empty() {
		t.Errorf("still:\n%s", tell(plan))
	}
}

func TestAnInterruptBeforeTheCommitTouchesNothing(t *testing.T) {
	h := newFakeHost(t)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := h.Apply(ctx, webBundle(64), ApplyOptions{Progress: func(step string) {
		if step == "read" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || h.kernel.commits != 0 {
		t.Errorf("error %v, %d commits", err, h.kernel.commits)
	}
}

func TestAnInterruptAfterTheCommitDoesNotStopHalfWay(t *testing.T) {
	h := newFakeHost(t)
	ctx, cancel := context.WithCancel(context.Background())
	h.kernel.after = cancel
	report, err := h.Apply(ctx, withSysctl(webBundle(64), "net.core.somaxconn", "4096"), ApplyOptions{})
	if err != nil || report.Outcome != OutcomeApplied || h.settings.values["net.core.somaxconn"][0] != "4096" {
		t.Errorf("error %v, report %+v", err, report)
	}
}

func TestVerifyNamesEachObject(t *testing.T) {
	h := newFakeHost(t)
	b := withSysctl(webBundle(64), "net.core.somaxconn", "4096")
	h.mustApply(t, b)
	if differences, err := h.Verify(context.Background(), b); err != nil || len(differences) > 0 {
		t.Fatalf("right after an apply: %v %+v", err, differences)
	}
	c := h.kernel.chain("policy.web")
	c.Rules = c.Rules[:len(c.Rules)-1]
	h.settings.values["net.core.somaxconn"] = []string{"5"}
	differences, err := h.Verify(context.Background(), b)
	if err != nil || len(differences) != 2 {
		t.Fatalf("%v %+v, want a rule and a sysctl", err, differences)
	}
	if d := differences[1]; d.Want != "4096" || d.Got != "5" || d.Range.Line != 29 {
		t.Errorf("sysctl: %+v", d)
	}
}
