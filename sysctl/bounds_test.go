package sysctl

import (
	"strconv"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

// notTheEnds says of which keys the kernel does not take the ends of the range, and why.
func notTheEnds(key string) string {
	for _, b := range bounds {
		if key == b.low || key == b.high {
			return "bounded by the other key of a pair"
		}
	}
	switch key {
	case "net.ipv6.conf.lo.mtu":
		return "bounded by the interface's own"
	case "net.ipv4.tcp_ecn", "net.ipv4.tcp_ecn_option":
		return "the largest values came after Linux 6.18"
	}
	return ""
}

// TestKernelTakesTheEndsOfTheRange writes the least and the largest value of every namespaced number, so that the
// catalog promises nothing that the kernel refuses or changes.
func TestKernelTakesTheEndsOfTheRange(t *testing.T) {
	inNamespace(t, func(c *Client) {
		tried := 0
		for _, e := range Catalog() {
			key := strings.Replace(e.Key, "*", "lo", 1)
			numbers := e.Kind == Integer || e.Kind == Boolean || e.Kind == Enum || e.Kind == Bitmask
			if e.Scope != PerNamespace || e.ReadOnly || !numbers || notTheEnds(key) != "" {
				continue
			}
			before := value(t, c, key)
			if before == "missing" {
				continue
			}
			tried++
			for _, n := range []int64{e.Min, e.Max} {
				after := []string{strconv.FormatInt(n, 10)}
				if err := c.Apply(Step{Key: key, Before: Fields(before), After: after, Setting: want(key, policy.Exact, "")}); err != nil {
					t.Error(err)
				}
			}
			if err := c.Apply(Step{Key: key, After: Fields(before)}); err != nil {
				t.Errorf("put back: %v", err)
			}
		}
		if tried < 100 {
			t.Errorf("only %d keys tried", tried)
		}
	})
}
