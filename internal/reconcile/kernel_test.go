package reconcile

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// inNamespace runs f as tcpguard in a namespace of its own, in which the old policy was applied.
func inNamespace(t *testing.T, f func(h *realHost, r *Reconciler, old *policy.Bundle)) {
	t.Helper()
	nettest.Need(t)
	h := newRealHost(t, "")
	h.ns.Do(t, func() {
		r := h.open(t)
		old := loadPolicy(t, filepath.Join(h.dir, "old.hcl"))
		if _, err := r.Apply(context.Background(), old, ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		f(h, r, old)
	})
}

// disturbed is the real kernel with another program beside it.
type disturbed struct {
	Kernel
	before, after func()
}

func (d *disturbed) Commit(tx *enforcer.Transaction, generation uint32) error {
	if f := d.before; f != nil {
		d.before = nil
		f()
	}
	err := d.Kernel.Commit(tx, generation)
	if f := d.after; f != nil {
		d.after = nil
		f()
	}
	return err
}

func (h *realHost) nft(t *testing.T, args ...string) {
	t.Helper()
	if _, err := h.ns.Exec(t, append([]string{"nft"}, args...)...); err != nil {
		t.Fatal(err)
	}
}

func TestKernelIsPutBackWhenASysctlIsRefused(t *testing.T) {
	inNamespace(t, func(h *realHost, r *Reconciler, old *policy.Bundle) {
		before := h.state(t)
		report, err := r.Apply(context.Background(), loadPolicy(t, filepath.Join(h.dir, "bad.hcl")), ApplyOptions{})
		var rolledBack *ErrRolledBack
		if !errors.As(err, &rolledBack) || report.Outcome != OutcomeRolledBack {
			t.Fatalf("error %v, report %+v", err, report)
		}
		for _, want := range []string{`sysctl["net.ipv4.tcp_synack_retries"]`, "bad.hcl:15", "300"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
		if after := h.state(t); after != before {
			t.Errorf("the host holds\n%+v\nwant what was before\n%+v", after, before)
		}
		if plan, err := r.Plan(context.Background(), old); err != nil || !plan.Empty() || len(plan.Notes) > 0 {
			t.Errorf("after the rollback: %s %v %v", tell(plan), plan.Notes, err)
		}
	})
}

func TestKernelIsPutBackWhenReadingBackDiffers(t *testing.T) {
	inNamespace(t, func(h *realHost, r *Reconciler, _ *policy.Bundle) {
		before := h.state(t)
		r.kernel = &disturbed{Kernel: r.kernel, after: func() { h.nft(t, "flush", "chain", "inet", "tcpguard", "policy.ssh") }}
		report, err := r.Apply(context.Background(), loadPolicy(t, filepath.Join(h.dir, "new.hcl")), ApplyOptions{})
		var rolledBack *ErrRolledBack
		if !errors.As(err, &rolledBack) || len(report.Differences) == 0 {
			t.Fatalf("error %v, report %+v", err, report)
		}
		if d := report.Differences[0]; d.Address != "policy.ssh" || !strings.HasSuffix(d.Range.File, "new.hcl") {
			t.Errorf("difference %+v, want policy.ssh and its place", d)
		}
		if after := h.state(t); after != before {
			t.Errorf("the host holds\n%+v\nwant what was before\n%+v", after, before)
		}
	})
}

func TestKernelChangedByOthersIsReadAgain(t *testing.T) {
	inNamespace(t, func(h *realHost, r *Reconciler, _ *policy.Bundle) {
		r.kernel = &disturbed{Kernel: r.kernel, before: func() { h.nft(t, "add", "table", "inet", "other") }}
		bundle := loadPolicy(t, filepath.Join(h.dir, "new.hcl"))
		plan, err := r.Plan(context.Background(), bundle)
		if err != nil {
			t.Fatal(err)
		}
		// Another program's table is no reason to ask again: the approved plan still holds.
		report, err := r.Apply(context.Background(), bundle, ApplyOptions{Approved: plan})
		if err != nil || report.Attempts != 2 || report.Outcome != OutcomeApplied {
			t.Errorf("error %v, report %+v", err, report)
		}
	})
}

func TestKernelDriftIsNamedAndRepaired(t *testing.T) {
	tests := []struct {
		name    string
		command []string
		want    string
	}{
		{"rules flushed", []string{"flush", "chain", "inet", "tcpguard", "policy.web"}, "repair policy.web\nrepair policy.web.connection_limit\nrepair policy.web.deny"},
		{"rule added", []string{"add", "rule", "inet", "tcpguard", "input", "drop"}, "repair pipeline"},
		{"port removed", []string{"delete", "element", "inet", "tcpguard", "input.tcp.port", "{ 443 }"}, "repair policy.web"},
		{"address added to a list", []string{"add", "element", "inet", "tcpguard", "list.blocklist.v4", "{ 1.1.1.1 }"}, "repair list.blocklist"},
		{"chain added", []string{"add", "chain", "inet", "tcpguard", "mine"}, "repair pipeline"},
		{"table deleted", []string{"delete", "table", "inet", "tcpguard"},
			"repair list.blocklist\nrepair pipeline\nrepair policy.web\nrepair policy.web.connection_limit\nrepair policy.web.deny"},
		{"another table", []string{"add", "table", "inet", "other"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inNamespace(t, func(h *realHost, r *Reconciler, old *policy.Bundle) {
				before := r.digest(t)
				h.nft(t, tt.command...)
				plan, err := r.Plan(context.Background(), old)
				if err != nil {
					t.Fatal(err)
				}
				if got := tell(plan); got != tt.want {
					t.Errorf("changes:\n%s\nwant:\n%s", got, tt.want)
				}
				if _, err := r.Apply(context.Background(), old, ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
				if after := r.digest(t); after != before {
					t.Error("the table is not what it was")
				}
			})
		})
	}
}

func TestKernelIsLeftAsFound(t *testing.T) {
	inNamespace(t, func(h *realHost, r *Reconciler, _ *policy.Bundle) {
		h.nft(t, "add", "chain", "inet", "tcpguard", "mine")
		h.nft(t, "add", "table", "inet", "other")
		if _, err := r.Destroy(context.Background(), DestroyOptions{}); err != nil {
			t.Fatal(err)
		}
		if listing := nettest.NftList(t, h.ns); strings.Contains(listing, "tcpguard") || !strings.Contains(listing, "other") {
			t.Errorf("left:\n%s", listing)
		}
		report, err := r.Destroy(context.Background(), DestroyOptions{})
		if err != nil || report.Outcome != OutcomeUnchanged {
			t.Errorf("second destroy: %v, %+v", err, report)
		}
	})
}

// digest is the digest of the table as it is.
func (r *Reconciler) digest(t *testing.T) string {
	t.Helper()
	rules, _, err := r.kernel.Read()
	if err != nil {
		t.Fatal(err)
	}
	return stateHash(rules, nil)
}
