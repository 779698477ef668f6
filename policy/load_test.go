package policy

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

// write puts files into a new directory, makes it the working directory, so that diagnostics name files as they are
// written here, and gives the options to load it.
func write(t testing.TB, files map[string]string) Options {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Options{Paths: []string{"."}, Version: "0.1.0", Facts: Facts{Name: "edge", CPUs: 4, MemoryMiB: 8192, Interfaces: []string{"eth0", "lo"},
		MTUs: map[string]int{"eth0": 1420, "lo": 65536}}}
}

// mustLoad loads and fails on any diagnostic, a warning included.
func mustLoad(t testing.TB, opts Options) *Bundle {
	t.Helper()
	b, diags := Load(opts)
	if len(diags) > 0 {
		t.Fatalf("unexpected diagnostics:\n%s", render(diags))
	}
	return b
}

const exampleNative = `
tcpguard { required_version = ">= 0.1" }

variable "https_max" {
  type        = number
  default     = 100
  description = "connections one client may hold"
}
locals { public = [443, 80] }

management {
  sources = ["198.51.100.0/24"]
  ports   = [22]
}
defaults {
  mode        = "monitor"
  ipv6_prefix = 56
  on_full     = "pass"
}
list "monitoring" { addresses = ["192.0.2.10", "2001:db8:a::/64"] }
list "blocklist"  { file = "lists/blocklist.txt" }

policy "web" {
  description = "public HTTPS on ${host.name}"
  ports       = concat(local.public, ["8000-8010", "8011"])
  interfaces  = ["eth1", "eth0"]
  addresses   = ["203.0.113.10", "2001:db8::/32"]
  mode        = "enforce"
  allow       = [list.monitoring, "192.0.2.77"]
  deny        = [list.blocklist]
  only        = []
  table_size  = 30000

  connection_limit {
    max         = var.https_max
    action      = "reset"
    ipv4_prefix = 24
  }
  rate_limit {
    rate    = "20/60s"
    window  = "fixed"
    per     = "total"
    on_full = "drop"
  }
  syn_flood {
    protect   = "auto"
    threshold = "2000/s"
    rate      = "40000/s"
    mss       = 1400
    wscale    = 9
    timestamp = false
  }
  ban {
    after       = "30/2m"
    for         = "1h30m"
    escalate    = [1, 6, 144]
    ipv6_prefix = 48
  }
  log {
    rate   = "10/m"
    burst  = 3
    target = "nflog"
    group  = 7
  }
}
capacity {
  concurrent_connections = 500000
  new_connections        = "20000/s"
}
sysctl "net/core/somaxconn"           { at_least = 65535 }
sysctl "net.ipv4.ip_local_port_range" { value = [10240, 65000] }
sysctl "net.ipv4.tcp_rmem"            { value = "4096  87380\t6291456" }
sysctl "net.netfilter.nf_conntrack_max" {
  at_most    = min(host.memory_mib * 64, 4194304)
  on_missing = "skip"
  on_remove  = "keep"
}
`

// exampleJSON declares the same.
const exampleJSON = `{
"tcpguard": {"required_version": ">= 0.1"},
"variable": {"https_max": {"type": "number", "default": 100}},
"locals": {"public": [443, 80]},
"management": {"sources": ["198.51.100.0/24"], "ports": [22]},
"defaults": {"mode": "monitor", "ipv6_prefix": 56, "on_full": "pass"},
"list": {
  "monitoring": {"addresses": ["192.0.2.10", "2001:db8:a::/64"]},
  "blocklist": {"file": "lists/blocklist.txt"}},
"policy": {"web": {
  "description": "public HTTPS on ${host.name}",
  "ports": "${concat(local.public, [\"8000-8010\", \"8011\"])}",
  "interfaces": ["eth1", "eth0"],
  "addresses": ["203.0.113.10", "2001:db8::/32"],
  "mode": "enforce",
  "allow": ["${list.monitoring}", "192.0.2.77"],
  "deny": "${[list.blocklist]}",
  "only": [],
  "table_size": 30000,
  "connection_limit": {"max": "${var.https_max}", "action": "reset", "ipv4_prefix": 24},
  "rate_limit": {"rate": "20/60s", "window": "fixed", "per": "total", "on_full": "drop"},
  "syn_flood": {"protect": "auto", "threshold": "2000/s", "rate": "40000/s", "mss": 1400, "wscale": 9, "timestamp": false},
  "ban": {"after": "30/2m", "for": "1h30m", "escalate": [1, 6, 144], "ipv6_prefix": 48},
  "log": {"rate": "10/m", "burst": 3, "target": "nflog", "group": 7}}},
"capacity": {"concurrent_connections": 500000, "new_connections": "20000/s"},
"sysctl": {
  "net/core/somaxconn": {"at_least": 65535},
  "net.ipv4.ip_local_port_range": {"value": [10240, 65000]},
  "net.ipv4.tcp_rmem": {"value": "4096  87380\t6291456"},
  "net.netfilter.nf_conntrack_max": {"at_most": "${min(host.memory_mib * 64, 4194304)}", "on_missing": "skip", "on_remove": "keep"}}
}`

// withoutRanges lets bundles be compared that stand at different places.
func withoutRanges(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*addrset.Set]() {
			withoutRanges(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			withoutRanges(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Range]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				withoutRanges(v.Field(i))
			}
		}
	}
}

func addresses(t *testing.T, texts ...string) *addrset.Set {
	t.Helper()
	var b addrset.Builder
	for _, text := range texts {
		if err := b.AddText(text); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

// TestLoadExample holds what each construct of the language becomes.
func TestLoadExample(t *testing.T) {
	want := &Bundle{
		Management: Management{Sources: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, Ports: []PortRange{{22, 22}}},
		Lists: []List{
			{Name: "blocklist", File: "lists/blocklist.txt", Addresses: addresses(t, "203.0.113.66", "192.0.2.128/25")},
			{Name: "monitoring", Addresses: addresses(t, "192.0.2.10", "2001:db8:a::/64")},
			{Name: "web.allow", Anonymous: true, Addresses: addresses(t, "192.0.2.77")},
		},
		Policies: []Policy{{
			Name: "web", Description: "public HTTPS on edge", Protocol: TCP, Path: PathInput, Mode: ModeEnforce,
			Ports:      []PortRange{{80, 80}, {443, 443}, {8000, 8011}},
			Interfaces: []string{"eth0", "eth1"},
			Addresses:  []netip.Prefix{netip.MustParsePrefix("203.0.113.10/32"), netip.MustParsePrefix("2001:db8::/32")},
			Allow:      []string{"monitoring", "web.allow"},
			Deny:       []string{"blocklist"},
			Connection: &ConnectionLimit{Max: 100, Action: ActionReset,
				Grouping: Grouping{Per: PerSource, IPv4Prefix: 24, IPv6Prefix: 56, TableSize: 30000, OnFull: OnFullPass}},
			Rate: &RateLimit{Rate: Rate{20, time.Minute}, Burst: 20, Window: WindowFixed, Action: ActionDrop,
				Grouping: Grouping{Per: PerTotal, IPv4Prefix: 32, IPv6Prefix: 56, TableSize: 30000, OnFull: OnFullDrop}},
			SYNFlood: &SYNFlood{Protect: ProtectAuto, Threshold: Rate{2000, time.Second}, Rate: Rate{40000, time.Second},
				MSS4: 1400, MSS6: 1360, WScale: 9, SACK: true},
			Ban: &Ban{After: Rate{30, 2 * time.Minute}, For: 90 * time.Minute, Escalate: []uint32{1, 6, 144}, Proof: ProofHandshake,
				IPv4Prefix: 32, IPv6Prefix: 48, TableSize: 30000},
			Log: &Log{Rate: Rate{10, time.Minute}, Burst: 3, Target: LogNflog, Group: 7},
		}},
		Capacity: &Capacity{ConcurrentConnections: 500000, NewConnections: Rate{20000, time.Second}},
		Sysctls: []Sysctl{
			{Key: "net.core.somaxconn", Want: []string{"65535"}, Bound: AtLeast, OnMissing: MissingError, OnRemove: RemoveRestore},
			{Key: "net.ipv4.ip_local_port_range", Want: []string{"10240", "65000"}, Bound: Exact, OnMissing: MissingError, OnRemove: RemoveRestore},
			{Key: "net.ipv4.tcp_rmem", Want: []string{"4096", "87380", "6291456"}, Bound: Exact, OnMissing: MissingError, OnRemove: RemoveRestore},
			{Key: "net.netfilter.nf_conntrack_max", Want: []string{"524288"}, Bound: AtMost, OnMissing: MissingSkip, OnRemove: RemoveKeep},
		},
	}
	for name, source := range map[string]string{"web.hcl": exampleNative, "web.hcl.json": exampleJSON} {
		t.Run(name, func(t *testing.T) {
			got := mustLoad(t, write(t, map[string]string{name: source, "lists/blocklist.txt": "203.0.113.66\n192.0.2.128/25 # half\n"}))
			withoutRanges(reflect.ValueOf(got))
			want.Files = []string{name, "lists/blocklist.txt"}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestRanges holds the places that plans and kernel errors point to.
func TestRanges(t *testing.T) {
	b := mustLoad(t, write(t, map[string]string{"web.hcl": exampleNative, "lists/blocklist.txt": ""}))
	p := b.Policies[0]
	for what, c := range map[string][2]Range{
		"management":       {b.Management.Range, {"web.hcl", 11, 1}},
		"list":             {b.Lists[1].Range, {"web.hcl", 20, 1}},
		"anonymous list":   {b.Lists[2].Range, {"web.hcl", 29, 17}},
		"policy":           {p.Range, {"web.hcl", 23, 1}},
		"allow":            {p.AllowRange, {"web.hcl", 29, 17}},
		"deny":             {p.DenyRange, {"web.hcl", 30, 17}},
		"only":             {p.OnlyRange, {"web.hcl", 31, 17}},
		"connection_limit": {p.Connection.Range, {"web.hcl", 34, 3}},
		"rate_limit":       {p.Rate.Range, {"web.hcl", 39, 3}},
		"syn_flood":        {p.SYNFlood.Range, {"web.hcl", 45, 3}},
		"ban":              {p.Ban.Range, {"web.hcl", 53, 3}},
		"log":              {p.Log.Range, {"web.hcl", 59, 3}},
		"capacity":         {b.Capacity.Range, {"web.hcl", 66, 1}},
		"sysctl":           {b.Sysctls[0].Range, {"web.hcl", 70, 8}},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is at %+v, want %+v", what, c[0], c[1])
		}
	}
}

// TestFiles holds which files make a bundle, and that it does not matter which one a declaration stands in.
func TestFiles(t *testing.T) {
	files := map[string]string{
		"d/b.hcl":          "list \"b\" { file = \"sub/b.txt\" }\n",
		"d/a.hcl.json":     `{"list": {"a": {"addresses": ["192.0.2.1"]}}}`,
		"d/sub/b.txt":      "192.0.2.2\n",
		"d/sub/ignored.hc": "not read",
		"d/c.test.hcl":     "not a policy",
		"d/.hidden.hcl":    "not a policy",
		"d/readme.txt":     "not a policy",
		"d/z.hcl/inner":    "a directory",
		"one.conf":         "list \"c\" { addresses = [] }\n",
		"v.vars":           "",
	}
	opts := write(t, files)
	opts.Paths = []string{"one.conf", "d", "./d/b.hcl"}
	opts.VarFiles = []string{"v.vars"}
	b := mustLoad(t, opts)
	if want := []string{"one.conf", "d/a.hcl.json", "d/b.hcl", "v.vars", "d/sub/b.txt"}; !slices.Equal(b.Files, want) {
		t.Errorf("read %q, want %q", b.Files, want)
	}
	var names []string
	for _, l := range b.Lists {
		names = append(names, l.Name)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(names, want) {
		t.Errorf("lists %q, want %q", names, want)
	}
}

// TestVariableOrder holds that the default is the weakest and --var the strongest source of a value.
func TestVariableOrder(t *testing.T) {
	source := `
variable "v" { default = "default" }
policy "web" {
  description = var.v
  ports       = [1]
  rate_limit { rate = "1/s" }
}
`
	opts := write(t, map[string]string{"web.hcl": source, "a.vars": `v = "file a"`, "b.vars.json": `{"v": "file b"}`})
	steps := []struct {
		add  func()
		want string
	}{
		{func() {}, "default"},
		{func() { opts.Env = []string{"TCPGUARD_VAR_v=env", "TCPGUARD_VAR_other=x", "v=x"} }, "env"},
		{func() { opts.VarFiles = []string{"a.vars"} }, "file a"},
		{func() { opts.VarFiles = append(opts.VarFiles, "b.vars.json") }, "file b"},
		{func() { opts.Vars = map[string]string{"v": "flag"} }, "flag"},
	}
	for _, s := range steps {
		s.add()
		if got := mustLoad(t, opts).Policies[0].Description; got != s.want {
			t.Errorf("got %q, want %q", got, s.want)
		}
	}
}

// TestVariableTypes holds how text from outside becomes a value.
func TestVariableTypes(t *testing.T) {
	source := `
variable "ports" { type = list(number) }
variable "names" { type = set(string) }
variable "max" { type = number }
variable "on" { type = bool }
variable "free" {}
policy "web" {
  description = "${var.free} ${var.on ? "on" : "off"} ${join(",", var.names)}"
  ports       = var.ports
  connection_limit { max = var.max }
}
`
	opts := write(t, map[string]string{"web.hcl": source})
	opts.Vars = map[string]string{"ports": "[80, 443]", "names": `["b", "a", "b"]`, "max": "7", "on": "true", "free": "[1]"}
	p := mustLoad(t, opts).Policies[0]
	if p.Description != "[1] on a,b" || p.Connection.Max != 7 || !slices.Equal(p.Ports, []PortRange{{80, 80}, {443, 443}}) {
		t.Errorf("got %+v", p)
	}
}

// TestDynamic holds that blocks can be made by a loop, as Terraform's can.
func TestDynamic(t *testing.T) {
	source := `
locals { services = { web = { port = 443, max = 5 }, api = { port = 8443, max = null } } }
dynamic "policy" {
  for_each = local.services
  labels   = [policy.key]
  content {
    ports = [policy.value.port]
    rate_limit { rate = "1/s" }
    dynamic "connection_limit" {
      for_each = policy.value.max == null ? [] : [policy.value.max]
      content { max = connection_limit.value }
    }
  }
}
`
	b := mustLoad(t, write(t, map[string]string{"web.hcl": source}))
	if len(b.Policies) != 2 || b.Policies[0].Name != "api" || b.Policies[0].Connection != nil ||
		b.Policies[1].Connection == nil || b.Policies[1].Connection.Max != 5 || b.Policies[1].Ports[0].First != 443 {
		t.Errorf("got %+v", b.Policies)
	}
}

// TestSameInputSameBundle holds that neither map order nor anything else unsaid reaches the result.
func TestSameInputSameBundle(t *testing.T) {
	opts := write(t, map[string]string{"web.hcl": exampleNative, "b.hcl": strings.Repeat("policy \"x\" { ports = [0] }\n", 20), "lists/blocklist.txt": ""})
	first, firstDiags := Load(opts)
	for range 20 {
		b, diags := Load(opts)
		if !reflect.DeepEqual(b, first) || render(diags) != render(firstDiags) {
			t.Fatal("two loads of the same input differ")
		}
	}
}
