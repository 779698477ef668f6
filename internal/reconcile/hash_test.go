package reconcile

import (
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

func TestPolicyHashIsOfTheMeaning(t *testing.T) {
	base := func() *policy.Bundle {
		return withSysctl(withDeny(t, webBundle(64), "192.0.2.1"), "net.core.somaxconn", "4096")
	}
	tests := []struct {
		name   string
		change func(*policy.Bundle)
		same   bool
	}{
		{"nothing", func(*policy.Bundle) {}, true},
		{"another file and line", func(b *policy.Bundle) {
			b.Policies[0].Range = policy.Range{File: "z.hcl", Line: 9}
			b.Files = []string{"z.hcl"}
		}, true},
		{"the list comes from a file", func(b *policy.Bundle) { b.Lists[0].File = "block.txt" }, true},
		{"a description", func(b *policy.Bundle) { b.Policies[0].Description = "public" }, true},
		{"a limit", func(b *policy.Bundle) { b.Policies[0].Connection.Max = 65 }, false},
		{"no limit", func(b *policy.Bundle) { b.Policies[0].Connection = nil }, false},
		{"a port", func(b *policy.Bundle) { b.Policies[0].Ports[0].Last++ }, false},
		{"a list's content", func(b *policy.Bundle) {
			b.Lists[0].Addresses = withDeny(t, webBundle(1), "192.0.2.2").Lists[0].Addresses
		}, false},
		{"a sysctl's bound", func(b *policy.Bundle) { b.Sysctls[0].Bound = policy.AtLeast }, false},
		{"what happens on removal", func(b *policy.Bundle) { b.Sysctls[0].OnRemove = policy.RemoveKeep }, false},
		{"who administers", func(b *policy.Bundle) { b.Management.Ports = []policy.PortRange{{First: 22, Last: 22}} }, false},
		{"a word moved from one list of names to another", func(b *policy.Bundle) {
			b.Policies[0].Deny, b.Policies[0].Allow = nil, b.Policies[0].Deny
		}, false},
	}
	want := PolicyHash(base())
	for _, tt := range tests {
		b := base()
		tt.change(b)
		if got := PolicyHash(b) == want; got != tt.same {
			t.Errorf("%s: same hash %v, want %v", tt.name, got, tt.same)
		}
	}
}
