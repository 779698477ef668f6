package sysctl

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

func want(key string, bound policy.Bound, value string) Setting {
	return Setting{Key: key, Want: Fields(value), Bound: bound, OnMissing: policy.MissingError, OnRemove: policy.RemoveRestore,
		Address: policy.Sysctl{Key: key}.Address(), Range: policy.Range{File: "web.hcl", Line: 7, Column: 1}}
}

func optional(s Setting) Setting { s.OnMissing = policy.MissingSkip; return s }

func held(key, value string) State { return State{Key: key, Value: Fields(value)} }

func TestDiffOfOneSetting(t *testing.T) {
	const somaxconn, rmem, ctmax, file = "net.core.somaxconn", "net.ipv4.tcp_rmem", "net.netfilter.nf_conntrack_max", "fs.file-max"
	derived := optional(want(ctmax, policy.AtLeast, "524288"))
	derived.Reason = "500000 connections, 160 MiB"
	for _, c := range []struct {
		name    string
		setting Setting
		state   State
		opt     Options
		step    string // "before -> after"
		note    string
		err     string
	}{
		{"a value differs", want(somaxconn, policy.Exact, "4096"), held(somaxconn, "128"), Options{}, "128 -> 4096", "", ""},
		{"a value holds", want(somaxconn, policy.Exact, "4096"), held(somaxconn, "4096"), Options{}, "", "", ""},
		{"a floor is exceeded", want(somaxconn, policy.AtLeast, "4096"), held(somaxconn, "8192"), Options{}, "", "", ""},
		{"a floor raises its fields alone", want(rmem, policy.AtLeast, "4096 131072 16777216"), held(rmem, "8192 65536 6291456"), Options{},
			"8192 65536 6291456 -> 8192 131072 16777216", "", ""},
		{"a ceiling lowers", want(somaxconn, policy.AtMost, "100"), held(somaxconn, "4096"), Options{}, "4096 -> 100", "", ""},
		{"a floor with too few fields", want(rmem, policy.AtLeast, "4096"), held(rmem, "4096 65536 6291456"), Options{}, "", "",
			`web.hcl:7: sysctl["net.ipv4.tcp_rmem"]: net.ipv4.tcp_rmem has 3 fields (4096 65536 6291456), 1 given`},
		{"missing", want(ctmax, policy.Exact, "1"), State{Key: ctmax, Missing: true}, Options{}, "", "",
			`web.hcl:7: sysctl["net.netfilter.nf_conntrack_max"]: this kernel or network namespace has no net.netfilter.nf_conntrack_max (it appears when the module nf_conntrack is loaded)`},
		{"missing on an old kernel", want("net.ipv4.tcp_rto_max_ms", policy.Exact, "1000"), State{Key: "net.ipv4.tcp_rto_max_ms", Missing: true}, Options{}, "", "",
			`web.hcl:7: sysctl["net.ipv4.tcp_rto_max_ms"]: this kernel or network namespace has no net.ipv4.tcp_rto_max_ms (it came with Linux 6.15)`},
		{"missing and optional", optional(want(ctmax, policy.Exact, "1")), State{Key: ctmax, Missing: true}, Options{}, "",
			"net.netfilter.nf_conntrack_max is missing here (it appears when the module nf_conntrack is loaded): skipped", ""},
		{"read-only", want(ctmax, policy.Exact, "1"), State{Key: ctmax, Value: []string{"2"}, ReadOnly: true}, Options{}, "", "",
			`web.hcl:7: sysctl["net.netfilter.nf_conntrack_max"]: net.netfilter.nf_conntrack_max holds 2 and cannot be written here: it belongs to the initial network namespace`},
		{"read-only and derived", derived, State{Key: ctmax, Value: []string{"2"}, ReadOnly: true}, Options{}, "",
			"net.netfilter.nf_conntrack_max holds 2 and cannot be written here: it belongs to the initial network namespace: skipped", ""},
		{"read-only and as wanted", want(ctmax, policy.Exact, "2"), State{Key: ctmax, Value: []string{"2"}, ReadOnly: true}, Options{}, "", "", ""},
		{"host-wide in a namespace", want(file, policy.Exact, "1"), held(file, "2"), Options{Namespaced: true}, "",
			"fs.file-max belongs to the whole host: skipped in a network namespace", ""},
		{"namespaced in a namespace", want(somaxconn, policy.Exact, "1"), held(somaxconn, "2"), Options{Namespaced: true}, "2 -> 1", "", ""},
		{"never read", want(somaxconn, policy.Exact, "1"), held(file, "2"), Options{}, "", "", `web.hcl:7: sysctl["net.core.somaxconn"]: its state was not read`},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps, notes, err := Diff([]Setting{c.setting}, []State{c.state}, c.opt)
			var step, note, text string
			for _, s := range steps {
				step += Join(s.Before) + " -> " + Join(s.After)
			}
			for _, n := range notes {
				note += n.Text
			}
			if err != nil {
				text = err.Error()
				var e *SettingError
				if !errors.As(err, &e) {
					t.Errorf("%v is no *SettingError", err)
				}
			}
			if step != c.step || note != c.note || text != c.err {
				t.Errorf("step %q, note %q, error %q\nwant %q, %q, %q", step, note, text, c.step, c.note, c.err)
			}
		})
	}
}

func TestDiffGoesOnAfterAnError(t *testing.T) {
	steps, _, err := Diff(
		[]Setting{want("net.core.gone", policy.Exact, "1"), want("net.core.somaxconn", policy.Exact, "1"), want("net.core.away", policy.Exact, "1")},
		[]State{{Key: "net.core.gone", Missing: true}, held("net.core.somaxconn", "2"), {Key: "net.core.away", Missing: true}}, Options{})
	if len(steps) != 1 || err == nil || strings.Count(err.Error(), "web.hcl:7") != 2 {
		t.Errorf("steps %v, error %v: want one step and two errors", steps, err)
	}
}

func TestOrder(t *testing.T) {
	step := func(key, before, after string) Step {
		return Step{Key: key, Before: Fields(before), After: Fields(after)}
	}
	for _, c := range []struct {
		name  string
		steps []Step
		want  []string
	}{
		{"ceilings and what leads others go first", []Step{
			step("net.netfilter.nf_conntrack_max", "1", "2"), step("net.ipv4.tcp_rmem", "1 1 1", "2 2 2"), step("net.ipv4.conf.eth0.rp_filter", "0", "1"),
			step("net.ipv4.conf.default.rp_filter", "0", "1"), step("net.ipv4.conf.all.rp_filter", "0", "1"), step("net.ipv4.conf.all.accept_redirects", "1", "0"),
			step("net.core.rmem_max", "1", "2"), step("net.netfilter.nf_conntrack_buckets", "1", "2"), step("net.ipv4.ip_forward", "0", "1"),
			step("fs.file-max", "1", "2"), step("fs.nr_open", "1", "2"),
		}, []string{
			"net.ipv4.ip_forward", "net.ipv4.conf.all.accept_redirects", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter", "fs.nr_open",
			"net.core.rmem_max", "net.netfilter.nf_conntrack_buckets", "fs.file-max", "net.ipv4.conf.eth0.rp_filter", "net.ipv4.tcp_rmem", "net.netfilter.nf_conntrack_max",
		}},
		{"the port range moves up before the privileged ports do", []Step{
			step("net.ipv4.ip_unprivileged_port_start", "1024", "40000"), step("net.ipv4.ip_local_port_range", "32768 60999", "45000 60999"),
		}, []string{"net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"}},
		{"and down after them", []Step{
			step("net.ipv4.ip_local_port_range", "45000 60999", "32768 60999"), step("net.ipv4.ip_unprivileged_port_start", "40000", "1024"),
		}, []string{"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_port_range"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, s := range Order(c.steps) {
				got = append(got, s.Key)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("order\n%q, want\n%q", got, c.want)
			}
			slices.Reverse(c.steps)
			again := []string{}
			for _, s := range Order(c.steps) {
				again = append(again, s.Key)
			}
			if !slices.Equal(again, got) {
				t.Errorf("the order depends on the order given: %q", again)
			}
		})
	}
}
