package sysctl

import (
	"slices"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

func TestSatisfies(t *testing.T) {
	const (
		single = "net.core.somaxconn"
		triple = "net.ipv4.tcp_rmem"
		ports  = "net.ipv4.ip_local_reserved_ports"
		names  = "net.ipv4.tcp_allowed_congestion_control"
		other  = "net.example.unknown"
	)
	for _, c := range []struct {
		key        string
		bound      policy.Bound
		want, have string
		ok         bool
	}{
		{single, policy.Exact, "4096", "4096", true},
		{single, policy.Exact, "04096", "4096", true},
		{single, policy.Exact, "4096", "8192", false},
		{single, policy.AtLeast, "4096", "4096", true},
		{single, policy.AtLeast, "4096", "8192", true},
		{single, policy.AtLeast, "4096", "999", false}, // as text 999 would be the larger
		{single, policy.AtMost, "4096", "999", true},
		{single, policy.AtMost, "4096", "4097", false},
		{single, policy.AtMost, "5", "-1", true},
		{triple, policy.Exact, "4096 131072 6291456", "4096\t131072\t6291456", true},
		{triple, policy.Exact, "4096 131072 6291456", "4096\t131072\t6291457", false},
		{triple, policy.AtLeast, "4096 131072 6291456", "8192\t131072\t6291456", true},
		{triple, policy.AtLeast, "4096 131072 6291456", "8192\t131071\t6291456", false},
		{triple, policy.Exact, "4096", "4096\t131072\t6291456", false},
		{triple, policy.AtLeast, "4096", "4096\t131072\t6291456", false},
		{ports, policy.Exact, "8081 8080 9000-9010", "8080-8081,9000-9010", true},
		{ports, policy.Exact, "8080,8081,9000-9005,9006-9010", "8080-8081,9000-9010", true},
		{ports, policy.Exact, "8080", "8080-8081", false},
		{ports, policy.Exact, "", "", true},
		{ports, policy.Exact, "", "8080", false},
		{names, policy.Exact, "reno cubic", "cubic reno", true},
		{names, policy.Exact, "reno", "cubic reno", false},
		{other, policy.Exact, "fq", "fq", true},
		{other, policy.Exact, "fq", "FQ", false},
		{other, policy.AtLeast, "fq", "fq_codel", false},
		{other, policy.AtLeast, "18446744073709551614", "18446744073709551615", true},
		{other, policy.AtLeast, "18446744073709551615", "18446744073709551614", false},
	} {
		if got := Satisfies(c.key, c.bound, Fields(c.want), Fields(c.have)); got != c.ok {
			t.Errorf("%s %s %q, in force %q: %v, want %v", c.key, c.bound, c.want, c.have, got, c.ok)
		}
	}
}

func TestTargetKeepsFieldsWithinTheBound(t *testing.T) {
	for _, c := range []struct {
		bound            policy.Bound
		want, have, then string
	}{
		{policy.Exact, "1 2 3", "9 9 9", "1 2 3"},
		{policy.AtLeast, "4096 131072 16777216", "8192 65536 6291456", "8192 131072 16777216"},
		{policy.AtMost, "4096 131072 16777216", "8192 65536 6291456", "4096 65536 6291456"},
	} {
		if got := target(c.bound, Fields(c.want), Fields(c.have)); !slices.Equal(got, Fields(c.then)) {
			t.Errorf("%s %q from %q writes %q, want %q", c.bound, c.want, c.have, got, c.then)
		}
	}
}

func TestParseRanges(t *testing.T) {
	for _, c := range []struct{ in, want, err string }{
		{"", "", ""},
		{"80", "80", ""},
		{"443,80,81,", "80-81,443", ""},
		{"1-10,5-20,21", "1-21", ""},
		{"a", "", `"a" is no number and no range of numbers such as 8000-8010`},
		{"-5", "", `"-5" is no number and no range of numbers such as 8000-8010`},
		{"20-10", "", "the range 20-10 is reversed"},
	} {
		spans, err := parseRanges([]string{c.in})
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: error %v, want %q", c.in, err, c.err)
			}
			continue
		}
		if got := formatRanges(spans); err != nil || got != c.want {
			t.Errorf("%q: %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}
