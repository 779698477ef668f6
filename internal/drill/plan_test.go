package drill

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// bundle loads policies written in the test.
func bundle(t *testing.T, text string) *policy.Bundle {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.hcl")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	b, diags := policy.Load(policy.Options{
		Paths: []string{path}, Version: "0.1.0", CheckSysctl: sysctl.Check,
		Facts: policy.Facts{Name: "test", CPUs: 2, MemoryMiB: 4096, Interfaces: []string{"lo", "eth0", "wan0"}, MTUs: map[string]int{"lo": 65536, "eth0": 1500, "wan0": 1500}},
	})
	if len(diags.Errors()) > 0 {
		t.Fatalf("%v", diags)
	}
	return b
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		name, policies string
		links          []string
		routed         bool
		at             []string // of each service
		notes          []string // parts of them
	}{
		{"a service of this host", `policy "web" {
			ports = [80, 443, 8080]
			connection_limit { max = 10 }
		}`, []string{"eth0"}, false, []string{"100.64.0.2:80 100.64.0.2:443 [fd74:6370::2]:80 [fd74:6370::2]:443"}, nil},
		{"on interfaces of their own", `policy "web" {
			ports = [80]
			interfaces = ["wan0"]
			connection_limit { max = 10 }
		}
		policy "x" {
			ports = [80]
			interfaces = ["eth0"]
			connection_limit { max = 10 }
		}`, []string{"wan0", "eth0"}, false, []string{"100.64.0.2:80 [fd74:6370::2]:80", "100.64.1.2:80 [fd74:6370:1::2]:80"}, nil},
		{"at addresses of one family", `policy "web" {
			ports = ["8000-8010"]
			addresses = ["203.0.113.0/28"]
			connection_limit { max = 10 }
		}`, []string{"eth0"}, false, []string{"203.0.113.1:8000"}, nil},
		{"behind this host", `policy "plc" {
			ports = [502]
			path = "forward"
			connection_limit { max = 10 }
		}`, []string{"eth0"}, true, []string{"100.64.255.2:502 [fd74:6370:ff::2]:502"}, nil},
		{"what cannot be attacked", `policy "web" {
			ports = [80]
			mode = "monitor"
			connection_limit { max = 10 }
		}
		policy "off" {
			ports = [81]
			mode = "off"
			connection_limit { max = 10 }
		}
		policy "dns" {
			ports = [53]
			protocol = "udp"
			rate_limit { rate = "5/s" }
		}
		policy "local" {
			ports = [82]
			interfaces = ["lo"]
			connection_limit { max = 10 }
		}`, []string{"eth0"}, false, []string{"100.64.0.2:80 [fd74:6370::2]:80"}, []string{"dns is about udp", "local guards loopback", "off is off", "web only monitors"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := plan(bundle(t, tt.policies))
			if err != nil {
				t.Fatal(err)
			}
			var at []string
			for _, s := range l.services {
				var here []string
				for _, a := range append(s.at(false), s.at(true)...) {
					here = append(here, a.String())
				}
				at = append(at, strings.Join(here, " "))
			}
			if !slices.Equal(l.links, tt.links) || l.routed != tt.routed || !slices.Equal(at, tt.at) {
				t.Errorf("links %q, routed %v, at %q; want %q, %v, %q", l.links, l.routed, at, tt.links, tt.routed, tt.at)
			}
			if len(l.notes) != len(tt.notes) {
				t.Fatalf("notes %q, want %q", l.notes, tt.notes)
			}
			for i, n := range l.notes {
				if !strings.Contains(n, tt.notes[i]) {
					t.Errorf("note %q, want %q", n, tt.notes[i])
				}
			}
		})
	}
}

func TestNothingToAttack(t *testing.T) {
	if _, err := plan(&policy.Bundle{}); err == nil {
		t.Error("no error")
	}
}

func TestBudget(t *testing.T) {
	per := func(p policy.Per) policy.Grouping { return policy.Grouping{Per: p} }
	for _, tt := range []struct {
		name   string
		policy policy.Policy
		want   budget
	}{
		{"no limit", policy.Policy{}, budget{unlimited, unlimited, unlimited, unlimited}},
		{"half of the places, each used as long as a client may wait", policy.Policy{Connection: &policy.ConnectionLimit{Grouping: per(policy.PerSource), Max: 10}},
			budget{5, 20, unlimited, unlimited}},
		{"one place is one", policy.Policy{Connection: &policy.ConnectionLimit{Grouping: per(policy.PerSource), Max: 1}},
			budget{1, 4, unlimited, unlimited}},
		{"places of all", policy.Policy{Connection: &policy.ConnectionLimit{Grouping: per(policy.PerTotal), Max: 10}},
			budget{unlimited, unlimited, 5, 20}},
		{"half of what a bucket gives in that time", policy.Policy{Rate: &policy.RateLimit{
			Grouping: per(policy.PerSource), Rate: policy.Rate{Count: 120, Interval: time.Minute}, Burst: 20, Window: policy.WindowToken}},
			budget{unlimited, 14, unlimited, unlimited}},
		{"a fixed window that outlasts the scenario opens once", policy.Policy{Rate: &policy.RateLimit{
			Grouping: per(policy.PerSource), Rate: policy.Rate{Count: 10, Interval: time.Minute}, Burst: 10, Window: policy.WindowFixed}},
			budget{unlimited, 5, unlimited, unlimited}},
		{"a short one opens anew", policy.Policy{Rate: &policy.RateLimit{
			Grouping: per(policy.PerTotal), Rate: policy.Rate{Count: 10, Interval: time.Second}, Burst: 10, Window: policy.WindowFixed}},
			budget{unlimited, unlimited, unlimited, 20}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := budgetOf(tt.policy, 4*time.Second, time.Second); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestSources(t *testing.T) {
	for _, tt := range []struct {
		name, policies string
		v6             bool
		n              int
		want           []string
	}{
		{"one address each", `policy "p" {
			ports = [80]
			connection_limit { max = 1 }
		}`, false, 3, []string{"198.18.0.1", "198.18.0.2", "198.18.0.3"}},
		{"one for each group that the policy counts as one", `policy "p" {
			ports = [80]
			connection_limit {
				max = 1
				ipv4_prefix = 24
			}
		}`, false, 3, []string{"198.18.0.1", "198.18.1.1", "198.18.2.1"}},
		{"a /64 each", `policy "p" {
			ports = [80]
			connection_limit { max = 1 }
		}`, true, 2, []string{"2001:2::1", "2001:2:0:1::1"}},
		{"out of the only list, and not those never limited", `policy "p" {
			ports = [80]
			only  = ["192.0.2.7", "192.0.2.32/29"]
			allow = ["192.0.2.34"]
			connection_limit { max = 1 }
		}`, false, 99, []string{"192.0.2.7", "192.0.2.33", "192.0.2.35", "192.0.2.36", "192.0.2.37", "192.0.2.38", "192.0.2.39"}},
		{"elsewhere when a list covers the place", `policy "p" {
			ports = [80]
			deny  = ["198.18.0.0/15"]
			connection_limit { max = 1 }
		}`, false, 1, []string{"172.16.0.1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bundle(t, tt.policies)
			got := worldOf(b).sourcesOf(b, b.Policies[0], tt.v6, tt.n)
			var want []netip.Addr
			for _, w := range tt.want {
				want = append(want, netip.MustParseAddr(w))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// TestCrowdStaysWithinThePolicy adds up what every source does: nobody may be refused for a good reason.
func TestCrowdStaysWithinThePolicy(t *testing.T) {
	b := bundle(t, `policy "web" {
		ports = [80, 443]
		connection_limit { max = 16 }
		rate_limit {
			rate  = "60/60s"
			burst = 10
		}
	}`)
	l, err := plan(b)
	if err != nil {
		t.Fatal(err)
	}
	const d = 4 * time.Second
	c := crowdOf(b, l, worldOf(b), d, patience)
	if got := c.describe(); len(got) != 5 {
		t.Fatalf("groups %+v, want 5", got)
	}
	connections, users := map[netip.Addr]int{}, map[netip.Addr]int{}
	for _, v := range c.visitors {
		for i := range v.Most {
			connections[v.Sources[i%len(v.Sources)]]++
		}
	}
	for _, r := range c.regulars {
		users[r.Source]++
		n := 1
		if r.Hold > 0 {
			n = int((d + warmUp) / r.Hold)
		}
		connections[r.Source] += n
	}
	for a, n := range connections {
		if n > 7 { // half of 10 + 4.3
			t.Errorf("%v makes %d connections, the policy lets it make 14", a, n)
		}
	}
	for a, n := range users {
		if n > 8 {
			t.Errorf("%d users behind %v at a time, the policy lets it have 16 connections", n, a)
		}
	}
}

func TestChoose(t *testing.T) {
	all, err := choose(nil)
	if err != nil || len(all) != len(scenarios) {
		t.Errorf("all: %d scenarios, %v", len(all), err)
	}
	two, err := choose([]string{"churn", "calm", "churn"})
	if err != nil || len(two) != 2 || two[0].name != "calm" {
		t.Errorf("two: %v, %v", two, err)
	}
	if _, err := choose([]string{"calm", "storm"}); err == nil || !strings.Contains(err.Error(), "storm") {
		t.Errorf("an unknown one: %v", err)
	}
}

func TestKernelCounts(t *testing.T) {
	got := map[string]uint64{"TcpExt.ListenDrops": 1}
	addNetstat(got, []byte("TcpExt: SyncookiesSent ListenDrops Unknown\nTcpExt: 5 7 9\nIpExt: InOctets\nIpExt: 1\n"))
	addConntrack(got, []byte("entries  insert_failed drop\n000000ff 00000010 00000001\n000000ff 00000001 00000000\n"))
	want := map[string]uint64{"TcpExt.SyncookiesSent": 5, "TcpExt.ListenDrops": 8, "conntrack.insert_failed": 17, "conntrack.drop": 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefusalsNameWhatIsMissing(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string // "" when it is no matter of permission
	}{
		{unix.EPERM, "forbids it"},
		{unix.ENOSPC, "user.max_user_namespaces"},
		{fmt.Errorf("unshare: %w", os.NewSyscallError("unshare", unix.ENOSYS)), "sandbox hides it"},
		{unix.EINVAL, ""},
		{errors.New("other"), ""},
	} {
		err := permission(tt.err)
		var missing *reconcile.ErrPermission
		if got := errors.As(err, &missing); got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v becomes %v, want %q", tt.err, err, tt.want)
		}
		if !errors.Is(err, tt.err) {
			t.Errorf("%v is lost in %v", tt.err, err)
		}
	}
}

func TestOtherPrograms(t *testing.T) {
	before, err := parseCPU("cpu  100 0 50 1000 0 0 10 0 0 0\ncpu0 1 1 1\n")
	if err != nil {
		t.Fatal(err)
	}
	// Of 200 ticks, 100 were idle, 20 the kernel's on packets, 80 programs', 50 of these ours.
	after, err := parseCPU("cpu  150 10 65 1100 0 0 30 5 0 0\n")
	if err != nil {
		t.Fatal(err)
	}
	after.own = 500 * time.Millisecond
	if got := after.others(before); got != 15 {
		t.Errorf("others took %v %%, want 15", got)
	}
	if got := before.others(before); got != 0 {
		t.Errorf("of no time others took %v %%", got)
	}
	for _, text := range []string{"", "cpu 1 2 3", "cpu  1 2 3 x 5 6 7 8\n"} {
		if _, err := parseCPU(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
