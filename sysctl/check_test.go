package sysctl

import (
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

func TestCheckTakes(t *testing.T) {
	for _, c := range []struct {
		key   string
		want  []string
		bound policy.Bound
	}{
		{"net.core.somaxconn", []string{"65535"}, policy.AtLeast},
		{"net/core/somaxconn", []string{"70000"}, policy.AtLeast},
		{"net.ipv4.tcp_syncookies", []string{"2"}, policy.Exact},
		{"net.ipv4.ip_local_port_range", []string{"10240", "65000"}, policy.Exact},
		{"net.ipv4.ip_local_reserved_ports", nil, policy.Exact},
		{"net.ipv4.ip_local_reserved_ports", []string{"8080", "9000-9010"}, policy.Exact},
		{"net.ipv4.tcp_mem", []string{"1", "2", "3"}, policy.AtLeast},
		{"net.ipv4.tcp_fastopen", []string{"1027"}, policy.Exact},
		{"net.ipv4.conf.eth0/100.rp_filter", []string{"1"}, policy.Exact},
		{"net.ipv4.tcp_congestion_control", []string{"bbr"}, policy.Exact},
		{"net.ipv4.tcp_notsent_lowat", []string{"4294967295"}, policy.Exact},
		{"net.ipv4.some_future_key", []string{"any", "thing"}, policy.AtLeast},
		{"kernel.some_future_key", []string{"1"}, policy.Exact},
	} {
		if p := Check(c.key, c.want, c.bound); p != nil {
			t.Errorf("Check(%s, %q, %s) = %+v, want nothing", c.key, c.want, c.bound, *p)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		key     string
		want    string
		bound   policy.Bound
		kind    policy.SysctlProblemKind
		nearest string
		text    string
	}{
		{"net.core.somaxcon", "1", policy.Exact, policy.SysctlUnknownKey, "net.core.somaxconn", ""},
		{"net.ipv4.tcp_synccokies", "1", policy.Exact, policy.SysctlUnknownKey, "net.ipv4.tcp_syncookies", ""},
		{"net.ipv4.somaxconn", "1", policy.Exact, policy.SysctlUnknownKey, "net.core.somaxconn", ""},
		{"tcp_syncookies", "1", policy.Exact, policy.SysctlUnknownKey, "net.ipv4.tcp_syncookies", "a key starts with its tree, as in net.core.somaxconn"},
		{"net.ipv4.conf.eth0/7.rp_filer", "1", policy.Exact, policy.SysctlUnknownKey, "net.ipv4.conf.eth0/7.rp_filter", ""},
		{"nett.core.nothing_like_it", "1", policy.Exact, policy.SysctlUnknownKey, "", ""},
		{"net/../core", "1", policy.Exact, policy.SysctlUnknownKey, "", "a key is names with one dot or slash between them"},
		{"net.ipv4.tcp_syncookies", "5", policy.Exact, policy.SysctlOutOfRange, "", "expected a number from 0 to 2, not 5"},
		{"net.core.somaxconn", "-1", policy.Exact, policy.SysctlOutOfRange, "", "expected a number from 0 to 2147483647 (connections), not -1"},
		{"net.core.somaxconn", "1 2", policy.Exact, policy.SysctlOutOfRange, "", "expected a number from 0 to 2147483647 (connections), not 1 2"},
		{"net.core.somaxconn", "many", policy.Exact, policy.SysctlOutOfRange, "", "expected a number from 0 to 2147483647 (connections), not many"},
		{"net.core.somaxconn", "99999999999999999999", policy.Exact, policy.SysctlOutOfRange, "", "expected a number from 0 to 2147483647 (connections), not 99999999999999999999"},
		{"net.ipv4.tcp_sack", "2", policy.Exact, policy.SysctlOutOfRange, "", "expected 0 or 1, not 2"},
		{"net.ipv4.ip_local_port_range", "1024", policy.Exact, policy.SysctlOutOfRange, "", "expected 2 numbers from 1 to 65535, not 1024"},
		{"net.ipv4.ip_local_port_range", "65000 1024", policy.Exact, policy.SysctlOutOfRange, "", "expected 2 numbers from 1 to 65535 in rising order, not 65000 1024"},
		{"net.ipv4.ip_local_port_range", "1024 65000", policy.AtLeast, policy.SysctlBadBound, "", "a port range is neither large nor small, so only value makes sense"},
		{"net.ipv4.ip_local_reserved_ports", "70000", policy.Exact, policy.SysctlOutOfRange, "", "expected numbers from 0 to 65535, not 70000"},
		{"net.ipv4.tcp_mem", "3 2 1", policy.Exact, policy.SysctlOutOfRange, "", "expected 3 numbers from 0 to 9223372036854775807 (pages) in rising order, not 3 2 1"},
		{"net.ipv4.tcp_fastopen", "8", policy.Exact, policy.SysctlOutOfRange, "", "expected a sum of bits from 0x607, not 8"},
		{"net.ipv4.tcp_congestion_control", "", policy.Exact, policy.SysctlOutOfRange, "", "expected one name, not nothing"},
		{"net.netfilter.nf_conntrack_count", "1", policy.Exact, policy.SysctlBadBound, "", "the kernel only shows it"},
	} {
		p := Check(c.key, Fields(c.want), c.bound)
		if p == nil {
			t.Errorf("Check(%s, %q) takes it", c.key, c.want)
			continue
		}
		if p.Kind != c.kind || p.Nearest != c.nearest || p.Text != c.text {
			t.Errorf("Check(%s, %q, %s) = %+v, want kind %d, nearest %q, text %q", c.key, c.want, c.bound, *p, c.kind, c.nearest, c.text)
		}
	}
}

func TestTypos(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "abcd", 1}, {"abc", "axc", 1}, {"abc", "cab", 2}, {"abc", "xyz", 3}, {"", "abcdef", 3}} {
		if got := typos(c.a, c.b, 3); got != c.want {
			t.Errorf("typos(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("net.core.somaxconn", "4096")
	f.Add("net.ipv4.ip_local_reserved_ports", "1-2,,3-")
	f.Add("net.ipv4.tcp_mem", "1 2 99999999999999999999")
	f.Fuzz(func(t *testing.T, key, value string) {
		p := Check(key, Fields(value), policy.Exact)
		if p != nil && (p.Kind == 0 || strings.Contains(p.Text, "\n")) {
			t.Errorf("Check(%q, %q) = %+v", key, value, *p)
		}
	})
}
