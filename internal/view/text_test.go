package view

import (
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
)

func at(file string, line int) policy.Range { return policy.Range{File: file, Line: line, Column: 1} }

// example is a plan with each kind of change.
func example() *reconcile.Plan {
	return &reconcile.Plan{
		FormatVersion: reconcile.FormatVersion,
		Namespace:     "default",
		Created:       time.Date(2026, 5, 9, 12, 0, 0, 0, time.UTC),
		Changes: []reconcile.Change{
			{
				Address: "policy.legacy", Kind: reconcile.KindNFTables, Action: reconcile.ActionDelete,
				Before: reconcile.Attributes{{Name: "mode", Value: "enforce"}}, Reason: "no longer declared",
			},
			{
				Address: "policy.ssh", Kind: reconcile.KindNFTables, Action: reconcile.ActionCreate,
				After: reconcile.Attributes{{Name: "mode", Value: "enforce"}, {Name: "addresses"}, {Name: "ports", Value: "22"}}, Reason: "declared", Range: at("/etc/p/bastion.hcl", 13),
			},
			{
				Address: "policy.ssh.rate_limit", Kind: reconcile.KindNFTables, Action: reconcile.ActionRepair,
				Reason: "missing from the kernel: will be put back", Range: at("/etc/p/bastion.hcl", 15),
			},
			{
				Address: "policy.web.connection_limit", Kind: reconcile.KindNFTables, Action: reconcile.ActionUpdate,
				Before: reconcile.Attributes{{Name: "max", Value: "64"}, {Name: "action", Value: "drop"}},
				After:  reconcile.Attributes{{Name: "max", Value: "100"}, {Name: "action", Value: "drop"}},
				Notes:  []string{"live counts restart for this limit"}, Range: at("/etc/p/web.hcl", 14),
			},
			{
				Address: `sysctl["net.core.somaxconn"]`, Kind: reconcile.KindSysctl, Action: reconcile.ActionUpdate,
				Before: reconcile.Attributes{{Name: "value", Value: "128"}}, After: reconcile.Attributes{{Name: "value", Value: "4096"}},
				Range: at("/etc/p/web.hcl", 29),
			},
			{
				Address: `sysctl["net.netfilter.nf_conntrack_max"]`, Kind: reconcile.KindSysctl, Action: reconcile.ActionUpdate,
				Before: reconcile.Attributes{{Name: "value", Value: "262144"}}, After: reconcile.Attributes{{Name: "value", Value: "524288"}},
				Reason: "500000 connections, 160 MiB", Range: at("/etc/p/web.hcl", 25),
			},
		},
		Notes:   []string{"fs.file-max is skipped: it belongs to the whole machine"},
		Summary: reconcile.Summary{Add: 1, Change: 3, Remove: 1, Repair: 1},
	}
}

const exampleText = `  - policy.legacy                        no longer declared
  + policy.ssh                           bastion.hcl:13
      mode: enforce; ports: 22
  ! policy.ssh.rate_limit                missing from the kernel: will be put back
  ~ policy.web.connection_limit          web.hcl:14
      max: 64 -> 100                     live counts restart for this limit
  ~ sysctl["net.core.somaxconn"]         web.hcl:29
      128 -> 4096
  ~ sysctl["net.netfilter.nf_conntrack_max"]  web.hcl:25
      262144 -> 524288                   500000 connections, 160 MiB
  note: fs.file-max is skipped: it belongs to the whole machine

Plan: 1 to add, 3 to change, 1 to remove, 1 to repair.
`

// shown runs a view method on a text view and gives both streams.
func shown(t *testing.T, style Style, show func(View) error) (out, err string) {
	t.Helper()
	var stdout, stderr strings.Builder
	if e := show(NewText(&stdout, &stderr, style, style)); e != nil {
		t.Fatal(e)
	}
	return stdout.String(), stderr.String()
}

func TestPlanReadsAsDesigned(t *testing.T) {
	out, err := shown(t, Style{}, func(v View) error { return v.Plan(example()) })
	if out != exampleText {
		t.Errorf("got\n%s\nwant\n%s", out, exampleText)
	}
	if err != "" {
		t.Errorf("standard error has %q", err)
	}
}

func TestColorOnlyAddsColor(t *testing.T) {
	out, _ := shown(t, Style{Color: true}, func(v View) error { return v.Plan(example()) })
	if !strings.Contains(out, "\x1b[32m+\x1b[0m") {
		t.Errorf("the sign of an addition is not green:\n%q", out)
	}
	var plain strings.Builder
	for i, part := range strings.Split(out, "\x1b[") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "m")
		}
		plain.WriteString(part)
	}
	if plain.String() != exampleText {
		t.Errorf("without its colours the text is\n%s", plain.String())
	}
}

func TestPlanClosingLines(t *testing.T) {
	tests := []struct {
		name string
		plan reconcile.Plan
		want string
	}{
		{"in sync", reconcile.Plan{}, "No changes. This host matches the policy.\n"},
		{"nothing to destroy", reconcile.Plan{Destroy: true}, "No changes. Nothing of tcpguard is on this host.\n"},
		{"counts", reconcile.Plan{Summary: reconcile.Summary{Add: 2}}, "Plan: 2 to add, 0 to change, 0 to remove, 0 to repair.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if out, _ := shown(t, Style{}, func(v View) error { return v.Plan(&tt.plan) }); out != tt.want {
				t.Errorf("got %q, want %q", out, tt.want)
			}
		})
	}
}

func TestFilesOfOneNameAreTold(t *testing.T) {
	p := &reconcile.Plan{Changes: []reconcile.Change{
		{Address: "policy.a", Action: reconcile.ActionCreate, Range: at("/x/web.hcl", 1)},
		{Address: "policy.b", Action: reconcile.ActionCreate, Range: at("/y/web.hcl", 2)},
		{Address: "policy.c", Action: reconcile.ActionCreate, Range: at("/y/db.hcl", 3)},
	}}
	out, _ := shown(t, Style{}, func(v View) error { return v.Plan(p) })
	for _, want := range []string{"/x/web.hcl:1\n", "/y/web.hcl:2\n", " db.hcl:3\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}

func TestReportText(t *testing.T) {
	applied := &reconcile.Report{
		Plan: example(), Outcome: reconcile.OutcomeApplied, Verified: true, Duration: 120 * time.Millisecond,
		Recovered: "an apply of 12:00 had been cut short: finished",
	}
	broken := &reconcile.Report{
		Plan: example(), Outcome: reconcile.OutcomeRolledBack,
		Differences: []reconcile.Difference{{
			Address: "policy.web", Object: "net.core.somaxconn", Kind: "changed", Want: "70000", Got: "65535", Range: at("web.hcl", 3),
		}},
	}
	tests := []struct {
		name     string
		report   *reconcile.Report
		out, err string
	}{
		{"unchanged", &reconcile.Report{Plan: &reconcile.Plan{}, Outcome: reconcile.OutcomeUnchanged}, "No changes. This host matches the policy.\n", ""},
		{
			"applied", applied, "Applied: 1 added, 3 changed, 1 removed, 1 repaired; read back and verified in 120 ms.\n",
			"recovered: an apply of 12:00 had been cut short: finished\n",
		},
		{
			"rolled back", broken, "",
			"  ! policy.web: net.core.somaxconn changed  (web.hcl:3)\n      want: 70000\n      got:  65535\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := shown(t, Style{}, func(v View) error { return v.Report(tt.report) })
			if out != tt.out || err != tt.err {
				t.Errorf("got %q and %q, want %q and %q", out, err, tt.out, tt.err)
			}
		})
	}
}

func TestDiagnosticsAndFailureText(t *testing.T) {
	_, err := shown(t, Style{}, func(v View) error {
		d := policy.Diagnostic{
			Severity: policy.SeverityError, Summary: "Unsupported argument", Detail: `Did you mean "ports"?`,
			Range:   policy.Range{File: "web.hcl", Line: 2, Column: 3},
			Snippet: &policy.Snippet{Context: `policy "web"`, Code: "  prots = [80]", StartLine: 2, Start: 2, End: 7},
		}
		if err := v.Diagnostics(policy.Diagnostics{d}); err != nil {
			return err
		}
		return v.Failure(Failure{Message: "the policy has 1 error", Hint: "nothing was applied"})
	})
	const want = `Error: Unsupported argument

  on web.hcl line 2, in policy "web":
   2:   prots = [80]
        ^^^^^

Did you mean "ports"?

error: the policy has 1 error
hint: nothing was applied
`
	if err != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func TestWarningsOfTheHostGoToStandardError(t *testing.T) {
	p := &reconcile.Plan{Warnings: []reconcile.Warning{{Summary: "conntrack is not loaded", Detail: "load it"}}}
	out, err := shown(t, Style{}, func(v View) error { return v.Plan(p) })
	if out != "No changes. This host matches the policy.\n" || err != "Warning: conntrack is not loaded\n\nload it\n\n" {
		t.Errorf("got %q and %q", out, err)
	}
}
