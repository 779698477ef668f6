package reconcile

import (
	"context"
	"errors"
	"strings"
	"testing"
)

const looseKey = "net.netfilter.nf_conntrack_tcp_loose"

// A kernel with conntrack as a module has its settings only once rules that need it are in force: one apply must be
// enough all the same.
func TestSettingsOfAModuleAreWrittenOnceTheRulesHaveLoadedIt(t *testing.T) {
	h := newFakeHost(t)
	h.kernel.after = func() { h.settings.values[looseKey] = []string{"1"} }
	declared := withSysctl(webBundle(64), looseKey, "0")

	plan, err := h.Plan(context.Background(), declared)
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(plan.Notes, "\n"); !strings.Contains(notes, looseKey+" appears when the module nf_conntrack is loaded") {
		t.Errorf("the plan does not say when the key is set: %q", notes)
	}
	h.mustApply(t, declared)
	if v := h.settings.values[looseKey][0]; v != "0" {
		t.Errorf("%s is %s after the first apply", looseKey, v)
	}
	if again := h.mustApply(t, declared); again.Outcome != OutcomeUnchanged {
		t.Errorf("a second apply has something to do: %s", again.Outcome)
	}
	h.mustApply(t, webBundle(64))
	if v := h.settings.values[looseKey][0]; v != "1" {
		t.Errorf("%s is %s once it is no longer declared", looseKey, v)
	}
}

// A declared key that does not come even then is an error, and everything is put back.
func TestASettingThatNeverAppearsRollsTheApplyBack(t *testing.T) {
	h := newFakeHost(t)
	_, err := h.Apply(context.Background(), withSysctl(webBundle(64), looseKey, "0"), ApplyOptions{})
	var rolledBack *ErrRolledBack
	if !errors.As(err, &rolledBack) || !strings.Contains(err.Error(), "has no "+looseKey) {
		t.Fatalf("got %v", err)
	}
	if h.kernel.rules.Exists {
		t.Error("the table was left behind")
	}
}
