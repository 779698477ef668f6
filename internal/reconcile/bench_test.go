package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// manyPolicies declares n policies of one port each.
func manyPolicies(n int) *policy.Bundle {
	b := &policy.Bundle{}
	for i := range n {
		b.Policies = append(b.Policies, guard(fmt.Sprintf("p%05d", i), uint16(i+1), 64))
	}
	return b
}

// manyAddresses is one policy that denies n addresses.
func manyAddresses(b *testing.B, n int) *policy.Bundle {
	b.Helper()
	var set addrset.Builder
	for i := range n {
		// An odd stride spreads the addresses and repeats none.
		v := uint32(i) * 2654435761
		if err := set.AddAddr(netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})); err != nil {
			b.Fatal(err)
		}
	}
	bundle := webBundle(64)
	bundle.Lists = []policy.List{{Name: "blocklist", Addresses: set.Build()}}
	bundle.Policies[0].Deny = []string{"blocklist"}
	return bundle
}

// BenchmarkPlan plans with nothing to do, which is what a daemon does all day, and with everything to do.
func BenchmarkPlan(b *testing.B) {
	cases := []struct {
		name string
		make func(*testing.B) *policy.Bundle
	}{
		{"policies=10", func(*testing.B) *policy.Bundle { return manyPolicies(10) }},
		{"policies=100", func(*testing.B) *policy.Bundle { return manyPolicies(100) }},
		{"policies=1000", func(*testing.B) *policy.Bundle { return manyPolicies(1000) }},
		{"addresses=10000", func(b *testing.B) *policy.Bundle { return manyAddresses(b, 10_000) }},
		{"addresses=100000", func(b *testing.B) *policy.Bundle { return manyAddresses(b, 100_000) }},
		{"addresses=1000000", func(b *testing.B) *policy.Bundle { return manyAddresses(b, 1_000_000) }},
	}
	for _, c := range cases {
		bundle := c.make(b)
		for _, state := range []string{"empty", "applied"} {
			b.Run(c.name+"/"+state, func(b *testing.B) {
				h := newFakeHost(b)
				if state == "applied" {
					if _, err := h.Apply(context.Background(), bundle, ApplyOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := h.Plan(context.Background(), bundle); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
