package reconcile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
)

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
