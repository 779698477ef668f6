package sysctl

import (
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

func protected(name string, p policy.Protect, m policy.Mode) policy.Policy {
	return policy.Policy{Name: name, Mode: m, SYNFlood: &policy.SYNFlood{Protect: p, Range: policy.Range{File: "web.hcl", Line: 4, Column: 3}}}
}

func TestProtectionsBringTheirSettings(t *testing.T) {
	challenge := "net.ipv4.tcp_synack_retries net.ipv4.tcp_syncookies net.ipv4.tcp_timestamps net.netfilter.nf_conntrack_tcp_loose net.netfilter.nf_conntrack_tcp_timeout_syn_recv"
	tests := []struct {
		name   string
		policy policy.Policy
		want   string
	}{
		{"auto", protected("web", policy.ProtectAuto, policy.ModeEnforce), challenge},
		{"synproxy", protected("web", policy.ProtectSynproxy, policy.ModeEnforce), challenge},
		{"cookies", protected("web", policy.ProtectCookies, policy.ModeEnforce), "net.ipv4.tcp_syncookies"},
		{"off", protected("web", policy.ProtectOff, policy.ModeEnforce), ""},
		{"monitored: nobody is challenged", protected("web", policy.ProtectAuto, policy.ModeMonitor), ""},
		{"no block", policy.Policy{Name: "web", Mode: policy.ModeEnforce}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings, notes := Resolve(&policy.Bundle{Policies: []policy.Policy{tt.policy}}, policy.Facts{})
			if len(notes) > 0 {
				t.Errorf("notes %+v", notes)
			}
			if got := strings.Join(Keys(settings), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, s := range settings {
				if s.Reason == "" || s.Address != "policy.web.syn_flood" || s.Range.Line != 4 {
					t.Errorf("%s is not explained: %+v", s.Key, s)
				}
				if problem := Check(s.Key, s.Want, s.Bound); problem != nil {
					t.Errorf("%s: %+v", s.Key, problem)
				}
			}
		})
	}
}

func TestADeclaredSettingThatBreaksAProtectionIsNamed(t *testing.T) {
	loose := policy.Sysctl{Key: "net.netfilter.nf_conntrack_tcp_loose", Want: []string{"1"}, Bound: policy.Exact}
	recv := policy.Sysctl{Key: "net.netfilter.nf_conntrack_tcp_timeout_syn_recv", Want: []string{"5"}, Bound: policy.Exact}
	b := &policy.Bundle{
		Policies: []policy.Policy{protected("web", policy.ProtectAuto, policy.ModeEnforce)}, Sysctls: []policy.Sysctl{loose, recv},
	}
	settings, notes := Resolve(b, policy.Facts{})
	if len(notes) != 1 || !strings.Contains(notes[0].Text, "policy.web.syn_flood (web.hcl:4) needs exactly") {
		t.Errorf("notes %+v", notes)
	}
	for _, s := range settings {
		if s.Key == loose.Key && s.Want[0] != "1" {
			t.Errorf("the declared value does not hold: %+v", s)
		}
	}
}
