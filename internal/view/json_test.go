package view

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// documents are the JSON documents, one a command, as a program that parses them relies on.
var documents = []struct {
	name   string
	stream bool
	show   func(View) error
}{
	{"validation", false, func(v View) error {
		if err := v.Diagnostics(policy.Diagnostics{warning}); err != nil {
			return err
		}
		return v.Valid(Validation{Files: []string{"web.hcl"}, Policies: 1, Lists: 2, Addresses: 300, Sysctls: 4})
	}},
	{"validation-empty", false, func(v View) error { return v.Valid(Validation{}) }},
	{"formatted", false, func(v View) error { return v.Formatted(Formatted{Files: []string{"web.hcl"}, Written: true}) }},
	{"plan", false, func(v View) error {
		if err := v.Diagnostics(policy.Diagnostics{warning}); err != nil {
			return err
		}
		return v.Plan(example())
	}},
	{"plan-empty", false, func(v View) error { return v.Plan(&reconcile.Plan{FormatVersion: "1.0", Namespace: "default"}) }},
	{"compiled", false, func(v View) error { return v.Compiled(compiled) }},
	{"compiled-empty", false, func(v View) error { return v.Compiled(Compiled{}) }},
	{"apply", true, func(v View) error {
		if err := v.Step("read", time.Date(2026, 5, 9, 14, 0, 0, 5e6, time.FixedZone("CEST", 7200))); err != nil {
			return err
		}
		if err := v.Plan(&reconcile.Plan{FormatVersion: "1.0", Namespace: "default"}); err != nil {
			return err
		}
		return v.Report(&reconcile.Report{
			FormatVersion: "1.0", Plan: &reconcile.Plan{FormatVersion: "1.0", Namespace: "default"},
			Outcome: reconcile.OutcomeUnchanged, Verified: true, Attempts: 1, Duration: 1500 * time.Millisecond,
		})
	}},
	{"version", false, func(v View) error {
		return v.Version(Version{Version: "0.1.0", Revision: "1a5ab4e", Go: "go1.26.0", Platform: "linux/amd64"})
	}},
	{"error", false, func(v View) error {
		if err := v.Diagnostics(policy.Diagnostics{{Severity: policy.SeverityError, Summary: "bad port", Range: at("web.hcl", 3)}}); err != nil {
			return err
		}
		return v.Failure(Failure{Kind: "invalid_policy", ExitCode: 3, Message: "the policy has 1 error"})
	}},
}

var (
	warning  = policy.Diagnostic{Severity: policy.SeverityWarning, Summary: "a policy without limits", Detail: "add one", Range: at("web.hcl", 7)}
	compiled = Compiled{
		Resources: []enforcer.Resource{{
			Address: "policy.web", Range: at("web.hcl", 7),
			Attributes: []enforcer.Attribute{{Name: "ports", Value: "80, 443"}, {Name: "mode", Value: "enforce"}},
		}},
		Settings: []sysctl.Setting{{
			Key: "net.ipv4.ip_local_port_range", Want: []string{"10240", "65000"}, Bound: policy.Exact,
			OnMissing: policy.MissingError, OnRemove: policy.RemoveRestore, Address: "capacity", Reason: "20000 connections a second",
		}},
		Lists: []policy.List{{Name: "blocklist", Range: at("web.hcl", 2)}},
	}
)

func TestJSONDocuments(t *testing.T) {
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			var out bytes.Buffer
			v := NewJSON(&out)
			v.Stream = d.stream
			if err := d.show(v); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", d.name+".json")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", &out, want)
			}
			lines := [][]byte{out.Bytes()}
			if d.stream {
				lines = bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
			}
			for _, line := range lines {
				checkRules(t, line)
			}
		})
	}
}

// checkRules holds what is promised of every object: a version, no null where an array belongs, snake_case names.
func checkRules(t *testing.T, data []byte) {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	if doc["format_version"] != "1.0" {
		t.Errorf("format_version is %v", doc["format_version"])
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case nil:
			// before and after are null where there is nothing on that side; everything else has a value.
			if !strings.HasSuffix(path, ".before") && !strings.HasSuffix(path, ".after") {
				t.Errorf("%s is null", path)
			}
		case []any:
			for _, x := range v {
				walk(path+"[]", x)
			}
		case map[string]any:
			for k, x := range v {
				if strings.ToLower(k) != k && !strings.Contains(path, ".diff.") {
					t.Errorf("%s.%s is not snake_case", path, k)
				}
				walk(path+"."+k, x)
			}
		}
	}
	walk("", doc)
}
