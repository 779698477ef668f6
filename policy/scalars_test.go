package policy

import (
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	day := 24 * time.Hour
	for text, want := range map[string]Rate{
		"20/60s":      {20, time.Minute},
		"20/s":        {20, time.Second},
		"20/m":        {20, time.Minute},
		"20/h":        {20, time.Hour},
		"20/d":        {20, day},
		"1/1m30s":     {1, 90 * time.Second},
		"1/500ms":     {1, 500 * time.Millisecond},
		"1/2d":        {1, 2 * day},
		"1/1d12h":     {1, 36 * time.Hour},
		"1000/49d":    {1000, 49 * day},
		"20/":         {},
		"20":          {},
		"0/s":         {},
		"1001/s":      {},
		"1/50d":       {},
		"1/999us":     {},
		"1/-1s":       {},
		"1/1d-1s":     {},
		"1/d1":        {},
		" 1/s":        {},
		"1/s ":        {},
		"1/w":         {},
		"+1/s":        {},
		"1/99999999d": {},
	} {
		got, err := parseRate(text, 1000)
		if got != want || (err == nil) != (want != Rate{}) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestNormalizeSysctlKey(t *testing.T) {
	for key, want := range map[string]string{
		"net.core.somaxconn":               "net.core.somaxconn",
		"net/core/somaxconn":               "net.core.somaxconn",
		"net/ipv4/conf/eth0.100/rp_filter": "net.ipv4.conf.eth0/100.rp_filter",
		"net.ipv4.conf.eth0/100.rp_filter": "net.ipv4.conf.eth0/100.rp_filter",
		"kernel.core_pattern":              "kernel.core_pattern",
		"":                                 "",
		"somaxconn":                        "",
		"net.":                             "",
		".net":                             "",
		"net..core":                        "",
		"net.//.core":                      "",
		"net/../core":                      "",
		"net.core.a b":                     "",
		"net.core.*":                       "",
		"net.cöre.x":                       "",
	} {
		got, problem := NormalizeSysctlKey(key)
		if got != want || (problem == "") != (want != "") {
			t.Errorf("%q is %q (%s), want %q", key, got, problem, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"policy", "capacity", "connection_limit", "rate_limit", "per", "max"}
	for word, want := range map[string]string{
		"polcy":           "policy",
		"POLICY":          "policy",
		"opliyc":          "policy",
		"conection_limt":  "connection_limit",
		"ratelimit":       "rate_limit",
		"pre":             "per",
		"p":               "",
		"":                "",
		"syn_flood":       "",
		"firewall":        "",
		"connectionlimit": "connection_limit",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q is nearest to %q, want %q", word, got, want)
		}
	}
}

func TestVersionConstraints(t *testing.T) {
	for _, c := range []struct {
		constraints, version string
		want                 bool
	}{
		{">= 0.1", "0.1.0", true},
		{">= 0.1", "0.0.9", false},
		{">= 0.1, < 0.2", "0.1.7", true},
		{">= 0.1, < 0.2", "0.2.0", false},
		{"0.1.0", "0.1.0", true},
		{"= 0.1", "0.1.1", false},
		{"!= 0.1.1", "0.1.1", false},
		{"> 0.1", "0.1.0", false},
		{"<= 1", "1.0.0", true},
		{"~> 1.2", "1.9.0", true},
		{"~> 1.2", "2.0.0", false},
		{"~> 1.2.3", "1.2.9", true},
		{"~> 1.2.3", "1.3.0", false},
		{"~> 1.2.3", "1.2.2", false},
		{">= 0.1", "v0.2.0-rc1+build", true},
	} {
		constraints, err := parseConstraints(c.constraints)
		if err != nil {
			t.Errorf("%q: %v", c.constraints, err)
			continue
		}
		have, err := parseVersion(c.version)
		if err != nil {
			t.Errorf("%q: %v", c.version, err)
			continue
		}
		got := true
		for _, one := range constraints {
			got = got && one.holds(have)
		}
		if got != c.want {
			t.Errorf("%s satisfies %q: %t, want %t", c.version, c.constraints, got, c.want)
		}
	}
	for _, bad := range []string{"", ">=", "1.2.3.4", "1.x", ">= 1,", "1 2", "99999999999"} {
		if _, err := parseConstraints(bad); err == nil {
			t.Errorf("%q is taken for a constraint", bad)
		}
	}
}
