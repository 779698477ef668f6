package sysctl

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

var bigHost = policy.Facts{CPUs: 2, MemoryMiB: 24 << 10}

// lines prints settings for comparison: "key at_least value: reason".
func lines(settings []Setting) []string {
	var out []string
	for _, s := range settings {
		out = append(out, s.Key+" "+string(s.Bound)+" "+Join(s.Want)+": "+s.Reason)
	}
	return out
}

func TestDerive(t *testing.T) {
	load := policy.Capacity{
		ConcurrentConnections: 500000,
		NewConnections:        policy.Rate{Count: 20000, Interval: time.Second},
		Range:                 policy.Range{File: "web.hcl", Line: 20, Column: 1},
	}
	settings, notes := Derive(load, bigHost, 4096)
	want := `net.netfilter.nf_conntrack_max at_least 524288: 500000 connections, 160 MiB
net.netfilter.nf_conntrack_buckets at_least 524288: one hash chain for each of 524288 entries, 4 MiB
fs.file-max at_least 1000000: 500000 connections, 2 files each: a proxy has one to each side
fs.nr_open at_least 1000000: one process may hold all 500000 connections, 2 files each
net.ipv4.tcp_max_orphans at_least 125001: a quarter of 500000 connections closing at once, 7812 MiB at most
net.ipv4.tcp_mem at_least 750000 1000000 1500000: 500000 connections, 2 pages each before memory is saved
net.core.somaxconn at_least 32768: 20000 new connections/s, 1 s in which none is accepted
net.ipv4.tcp_max_syn_backlog at_least 32768: 20000 new connections/s, 1 s for each handshake
net.core.netdev_max_backlog at_least 16384: 20000 new connections/s, 1 s of SYNs on each of 2 CPUs
net.ipv4.tcp_max_tw_buckets at_least 1200000: 20000 new connections/s for the 60 s of TIME_WAIT, 292 MiB`
	if got := strings.Join(lines(settings), "\n"); got != want {
		t.Errorf("derived\n%s\nwant\n%s", got, want)
	}
	if len(notes) != 0 {
		t.Errorf("notes %+v for a load that fits", notes)
	}
	for _, s := range settings {
		if s.Address != "capacity" || s.Range != load.Range || s.OnMissing != policy.MissingSkip || s.OnRemove != policy.RemoveRestore {
			t.Errorf("%+v: want the address and place of capacity, skipped when missing and restored when removed", s)
		}
		if p := Check(s.Key, s.Want, s.Bound); p != nil {
			t.Errorf("%s = %q is refused by the catalog: %+v", s.Key, s.Want, *p)
		}
	}
}

func TestDeriveOnlyWhatIsDeclared(t *testing.T) {
	for _, c := range []struct {
		name string
		load policy.Capacity
		want int
	}{
		{"nothing", policy.Capacity{}, 0},
		{"connections", policy.Capacity{ConcurrentConnections: 1}, 6},
		{"a rate", policy.Capacity{NewConnections: policy.Rate{Count: 1, Interval: time.Hour}}, 4},
	} {
		if got, _ := Derive(c.load, bigHost, 4096); len(got) != c.want {
			t.Errorf("%s: %q, want %d settings", c.name, lines(got), c.want)
		}
	}
}

func TestDeriveStaysInsideTheCatalog(t *testing.T) {
	load := policy.Capacity{ConcurrentConnections: math.MaxUint64, NewConnections: policy.Rate{Count: math.MaxUint64, Interval: 1}}
	settings, notes := Derive(load, policy.Facts{}, 4096)
	if len(settings) != 10 {
		t.Fatalf("%d settings, want 10", len(settings))
	}
	for _, s := range settings {
		if p := Check(s.Key, s.Want, s.Bound); p != nil {
			t.Errorf("%s = %q is refused by the catalog: %+v", s.Key, s.Want, *p)
		}
	}
	if len(notes) != 0 {
		t.Errorf("notes %+v although the memory is unknown", notes)
	}
}

func TestDeriveTellsWhatTheHostCannotBear(t *testing.T) {
	load := policy.Capacity{ConcurrentConnections: 1000000}
	settings, notes := Derive(load, policy.Facts{CPUs: 1, MemoryMiB: 4096}, 4096)
	const text = "1000000 connections take about 11 GiB of kernel memory (12616 bytes each), this host has 4096 MiB"
	if len(notes) != 1 || notes[0].Text != text || notes[0].Address != "capacity" {
		t.Errorf("notes %+v, want %q", notes, text)
	}
	// half of 4 GiB are 524288 pages, which the third number may not exceed.
	if got := Join(settings[5].Want); got != "262143 349524 524286" || !strings.Contains(settings[5].Reason, "half of the memory") {
		t.Errorf("tcp_mem %s: %s", got, settings[5].Reason)
	}
}

func TestRatePerSecond(t *testing.T) {
	for _, c := range []struct {
		count    uint64
		interval time.Duration
		want     uint64
	}{
		{20000, time.Second, 20000}, {20, time.Minute, 1}, {61, time.Minute, 2}, {1, time.Millisecond, 1000}, {0, time.Second, 0}, {1, 0, 0},
		{math.MaxUint64, time.Nanosecond, math.MaxUint64},
	} {
		if got := ratePerSecond(policy.Rate{Count: c.count, Interval: c.interval}); got != c.want {
			t.Errorf("%d per %s is %d/s, want %d", c.count, c.interval, got, c.want)
		}
	}
}

func TestResolve(t *testing.T) {
	capacity := &policy.Capacity{NewConnections: policy.Rate{Count: 20000, Interval: time.Second}, Range: policy.Range{File: "web.hcl", Line: 20}}
	for _, c := range []struct {
		name    string
		bound   policy.Bound
		value   string
		want    string // of somaxconn
		warning string
	}{
		{"a higher floor holds", policy.AtLeast, "65535", "at_least 65535: ", ""},
		{"a lower floor is raised", policy.AtLeast, "1024", "at_least 32768: 20000 new connections/s, 1 s in which none is accepted", ""},
		{"a sufficient value holds", policy.Exact, "40000", "value 40000: ", ""},
		{"a smaller value holds and is told", policy.Exact, "1024", "value 1024: ",
			"net.core.somaxconn is declared as 1024, capacity (web.hcl:20) needs at least 32768 (20000 new connections/s, 1 s in which none is accepted): only what is declared holds"},
		{"a ceiling holds and is told", policy.AtMost, "50000", "at_most 50000: ",
			"net.core.somaxconn is declared as at most 50000, capacity (web.hcl:20) needs at least 32768 (20000 new connections/s, 1 s in which none is accepted): only what is declared holds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := policy.Sysctl{Key: somaxconn, Want: []string{c.value}, Bound: c.bound, OnMissing: policy.MissingError, OnRemove: policy.RemoveKeep,
				Range: policy.Range{File: "web.hcl", Line: 3}}
			settings, notes := Resolve(&policy.Bundle{Sysctls: []policy.Sysctl{own}, Capacity: capacity}, bigHost)
			if len(settings) != 4 {
				t.Fatalf("settings %q, want each key once", lines(settings))
			}
			for i, s := range settings {
				if i > 0 && settings[i-1].Key >= s.Key {
					t.Errorf("%s stands before %s", settings[i-1].Key, s.Key)
				}
				if s.Key != somaxconn {
					continue
				}
				if got := lines([]Setting{s})[0]; got != somaxconn+" "+c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				if s.OnRemove != policy.RemoveKeep || s.Range != own.Range || s.Address != own.Address() {
					t.Errorf("%+v is not the declared setting", s)
				}
			}
			var warning string
			for _, n := range notes {
				warning += n.Text
			}
			if warning != c.warning {
				t.Errorf("warns\n%q, want\n%q", warning, c.warning)
			}
		})
	}
}

func TestResolveTwoSpellingsOfOneKey(t *testing.T) {
	settings, notes := Resolve(&policy.Bundle{Sysctls: []policy.Sysctl{
		{Key: "net.ipv4.conf.eth0.100.rp_filter", Want: []string{"1"}, Bound: policy.Exact, Range: policy.Range{File: "web.hcl", Line: 3}},
		{Key: "net.ipv4.conf.eth0/100.rp_filter", Want: []string{"2"}, Bound: policy.Exact, Range: policy.Range{File: "web.hcl", Line: 9}},
	}}, bigHost)
	if len(settings) != 1 || settings[0].Address != `sysctl["net.ipv4.conf.eth0/100.rp_filter"]` || Join(settings[0].Want) != "1" {
		t.Errorf("settings %+v, want the first alone", settings)
	}
	if len(notes) != 1 || notes[0].Range.Line != 9 || !strings.Contains(notes[0].Text, "declared twice") || !strings.Contains(notes[0].Text, "web.hcl:3") {
		t.Errorf("notes %+v, want both places", notes)
	}
}

func TestText(t *testing.T) {
	floor := optional(want("net.netfilter.nf_conntrack_max", policy.AtLeast, "524288"))
	floor.Address, floor.Reason = "capacity", "500000 connections, 160 MiB"
	got := Text([]Setting{
		floor,
		want("net.ipv4.conf.eth0/100.rp_filter", policy.Exact, "1"),
		want("net.ipv4.ip_local_port_range", policy.Exact, "10240 65000"),
		want("net.ipv4.ip_local_reserved_ports", policy.Exact, "8080 9000-9010"),
	})
	const wanted = `# capacity (web.hcl:7): at_least, 500000 connections, 160 MiB
-net.netfilter.nf_conntrack_max = 524288

# sysctl["net.ipv4.conf.eth0/100.rp_filter"] (web.hcl:7)
net.ipv4.conf.eth0/100.rp_filter = 1

# sysctl["net.ipv4.ip_local_port_range"] (web.hcl:7)
net.ipv4.ip_local_port_range = 10240 65000

# sysctl["net.ipv4.ip_local_reserved_ports"] (web.hcl:7)
net.ipv4.ip_local_reserved_ports = 8080,9000-9010
`
	if got != wanted {
		t.Errorf("prints\n%s\nwant\n%s", got, wanted)
	}
}
