package reconcile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

// journaled gives the keys whose originals are on disk.
func (h *fakeHost) journaled(t *testing.T) string {
	t.Helper()
	tuning, err := h.tune(goal{bundle: &policy.Bundle{}}, h.machine.epoch, false)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(tuning.journal.Keys(), " ")
}

func TestOriginalsAreKeptOnlyWhileTheyAreNeeded(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
	if got := h.journaled(t); got != "net.core.somaxconn" {
		t.Errorf("journaled after an apply: %q", got)
	}
	h.mustApply(t, webBundle(64))
	if got := h.journaled(t); got != "" {
		t.Errorf("journaled once it is restored: %q", got)
	}
	// What somebody sets between is the new original.
	h.settings.values["net.core.somaxconn"] = []string{"256"}
	h.mustApply(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
	h.mustApply(t, webBundle(64))
	if v := h.settings.values["net.core.somaxconn"][0]; v != "256" {
		t.Errorf("somaxconn %s, want 256", v)
	}
}

func TestARollbackForgetsTheOriginalsItPutBack(t *testing.T) {
	h := newFakeHost(t)
	h.settings.broken["net.ipv4.tcp_syncookies"] = errors.New("broken")
	b := withSysctl(withSysctl(webBundle(64), "net.core.somaxconn", "4096"), "net.ipv4.tcp_syncookies", "1")
	if _, err := h.Apply(context.Background(), b, ApplyOptions{}); err == nil {
		t.Fatal("no error")
	}
	if got := h.journaled(t); got != "" {
		t.Errorf("journaled after the rollback: %q", got)
	}
}

func TestAFailedApplyDoesNotHideThatAnEarlierOneWasInterrupted(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, webBundle(64))
	if err := h.store.save(pendingFile, pending{FormatVersion: FormatVersion, PID: 4711}); err != nil {
		t.Fatal(err)
	}
	h.kernel.fail = []error{errors.New("refused")}
	if _, err := h.Apply(context.Background(), webBundle(100), ApplyOptions{}); err == nil {
		t.Fatal("no error")
	}
	if notes := strings.Join(h.mustPlan(t, webBundle(100)).Notes, "\n"); !strings.Contains(notes, "pid 4711") {
		t.Errorf("notes: %s", notes)
	}
	report := h.mustApply(t, webBundle(100))
	if !strings.Contains(report.Recovered, "pid 4711") || len(h.mustPlan(t, webBundle(100)).Notes) > 0 {
		t.Errorf("recovered %q", report.Recovered)
	}
}

func TestContentsTrustNoName(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withDeny(t, webBundle(64), "192.0.2.1"))
	files, err := filepath.Glob(h.store.path(contentsDir) + "/*")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	c, digest := h.contents(), filepath.Base(files[0])
	if p, ok := c.Part(digest); !ok || p.Len() != 1 {
		t.Fatalf("the content is not found: %v %v", p, ok)
	}
	other := strings.Repeat("0", 32)
	if err := os.Rename(files[0], filepath.Join(c.dir, other)); err != nil {
		t.Fatal(err)
	}
	// The name comes from a comment in the kernel; it must neither lie nor lead out of the directory.
	for _, name := range []string{other, digest, "../" + contentsDir + "/" + other, "", "."} {
		if _, ok := c.Part(name); ok {
			t.Errorf("%q is taken for known content", name)
		}
	}
}
