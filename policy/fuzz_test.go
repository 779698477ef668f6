package policy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// fuzzLimit is how long one small input may take: far more than any takes, far less than a hang.
const fuzzLimit = 10 * time.Second

// FuzzLoad feeds policy files, native and JSON, with a list file and a variable file beside them. No input may panic,
// hang, or give a diagnostic that cannot be shown.
func FuzzLoad(f *testing.F) {
	archives, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(archives) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if file.Name != "want" {
				f.Add(string(file.Data), "192.0.2.1\n10.0.0.0/8\n", "x = 1\n", strings.HasSuffix(file.Name, ".json"))
			}
		}
	}
	f.Add(exampleNative, "::1\n", "https_max = 5\n", false)
	f.Add(exampleJSON, "::1\n", `{"https_max": 5}`, true)
	f.Add(`list "l" { file = "list.txt" }`, "10.0.0.1-10.0.0.0", "a = [1, \"${1}\"]", false)
	f.Fuzz(func(t *testing.T, source, list, vars string, isJSON bool) {
		dir := t.TempDir()
		name, varName := "web.hcl", "v.vars"
		if isJSON {
			name, varName = "web.hcl.json", "v.json"
		}
		for file, text := range map[string]string{name: source, "list.txt": list, varName: vars} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		start := processTime(t)
		bundle, diags := Load(Options{
			Paths:          []string{filepath.Join(dir, name)},
			VarFiles:       []string{filepath.Join(dir, varName)},
			Env:            []string{"TCPGUARD_VAR_x=" + list},
			Facts:          Facts{Name: "h", CPUs: 2, MemoryMiB: 1024, Interfaces: []string{"eth0"}},
			CheckSysctl:    fakeCatalog,
			MaxListEntries: 1000,
		})
		if d := processTime(t) - start; d > fuzzLimit {
			t.Fatalf("took %s", d)
		}
		var text strings.Builder
		if err := diags.WriteText(&text, 78, false); err != nil {
			t.Fatal(err)
		}
		if _, err := diags.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
		if diags.HasErrors() {
			return
		}
		checkBundle(t, bundle)
	})
}

// checkBundle holds what whoever compiles a bundle relies on.
func checkBundle(t *testing.T, b *Bundle) {
	t.Helper()
	lists := map[string]bool{}
	for _, l := range b.Lists {
		if l.Addresses == nil || lists[l.Name] {
			t.Fatalf("list %q is given twice or without addresses", l.Name)
		}
		lists[l.Name] = true
	}
	for _, p := range b.Policies {
		if len(p.Ports) == 0 || !namePattern.MatchString(p.Name) {
			t.Fatalf("accepted %+v", p)
		}
		for _, name := range slices.Concat(p.Allow, p.Deny, p.Only) {
			if !lists[name] {
				t.Fatalf("policy %q names the list %q, which is not given", p.Name, name)
			}
		}
		if c := p.Connection; c != nil && (c.Max == 0 || badGrouping(c.Grouping)) {
			t.Fatalf("accepted %+v", c)
		}
		if r := p.Rate; r != nil && (r.Burst == 0 || r.Rate.Count == 0 || r.Rate.Interval <= 0 || badGrouping(r.Grouping)) {
			t.Fatalf("accepted %+v", r)
		}
		checkAttack(t, p)
	}
	for _, s := range b.Sysctls {
		if normal, problem := NormalizeSysctlKey(s.Key); normal != s.Key || problem != "" || s.Bound != Exact && len(s.Want) == 0 {
			t.Fatalf("accepted %+v", s)
		}
	}
}

// checkAttack holds what the compiler relies on of syn_flood, ban and log.
func checkAttack(t *testing.T, p Policy) {
	t.Helper()
	if f := p.SYNFlood; f != nil && (p.Protocol != TCP || badRate(f.Threshold) || badRate(f.Rate) ||
		f.MSS4 < minMSS4 || f.MSS6 < minMSS6 || f.WScale > maxWScale) {
		t.Fatalf("accepted %+v", f)
	}
	if l := p.Log; l != nil && (badRate(l.Rate) || l.Burst == 0 || l.Target != LogNflog && l.Group != 0) {
		t.Fatalf("accepted %+v", l)
	}
	b := p.Ban
	if b == nil {
		return
	}
	if badRate(b.After) || b.For < time.Second || b.For%time.Second != 0 || len(b.Escalate) == 0 || len(b.Escalate) > maxBanLevels ||
		badGrouping(Grouping{IPv4Prefix: b.IPv4Prefix, IPv6Prefix: b.IPv6Prefix, TableSize: b.TableSize}) ||
		p.Connection == nil && p.Rate == nil || b.Proof == ProofHandshake && (p.SYNFlood == nil || !p.SYNFlood.Protect.Challenges()) {
		t.Fatalf("accepted %+v", b)
	}
	for i, step := range b.Escalate {
		if step == 0 || i > 0 && step <= b.Escalate[i-1] || time.Duration(step) > maxInterval/b.For {
			t.Fatalf("accepted %+v", b)
		}
	}
}

func badRate(r Rate) bool { return r.Count == 0 || r.Interval <= 0 }

func badGrouping(g Grouping) bool {
	return g.IPv4Prefix < 1 || g.IPv4Prefix > 32 || g.IPv6Prefix < 1 || g.IPv6Prefix > 128 || g.TableSize == 0
}
