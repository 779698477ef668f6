package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// meet says by definition whether two policies cover a common port, interface, address, path and protocol.
func meet(a, b Policy) bool {
	if a.Path != b.Path || a.Protocol != b.Protocol {
		return false
	}
	any := func(n, m int, f func(i, j int) bool) bool {
		for i := range n {
			for j := range m {
				if f(i, j) {
					return true
				}
			}
		}
		return false
	}
	ports := any(len(a.Ports), len(b.Ports), func(i, j int) bool {
		return a.Ports[i].First <= b.Ports[j].Last && b.Ports[j].First <= a.Ports[i].Last
	})
	addresses := len(a.Addresses) == 0 || len(b.Addresses) == 0 ||
		any(len(a.Addresses), len(b.Addresses), func(i, j int) bool { return a.Addresses[i].Overlaps(b.Addresses[j]) })
	// The default is every interface but loopback.
	wild := func(p, other Policy) bool {
		return len(p.Interfaces) == 0 && (len(other.Interfaces) == 0 || slices.ContainsFunc(other.Interfaces, func(s string) bool { return s != "lo" }))
	}
	interfaces := wild(a, b) || wild(b, a) ||
		any(len(a.Interfaces), len(b.Interfaces), func(i, j int) bool { return a.Interfaces[i] == b.Interfaces[j] })
	return ports && addresses && interfaces
}

// TestOverlapAgainstDefinition compares the search with the definition on random policies: two of them are an error
// exactly when they meet, and of more of them some error is reported exactly when any two meet.
func TestOverlapAgainstDefinition(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(most int, from ...string) string {
		rng.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
		return strings.Join(from[:rng.IntN(most+1)], ", ")
	}
	met := 0
	const cases = 250
	for range cases {
		var b strings.Builder
		n := 2 + rng.IntN(4)
		for i := range n {
			first := 1 + rng.IntN(40)
			fmt.Fprintf(&b, "policy \"p%d\" {\n  ports = [\"%d-%d\", %d]\n  interfaces = [%s]\n  addresses = [%s]\n  path = %q\n  rate_limit { rate = \"1/s\" }\n}\n",
				i, first, first+rng.IntN(4), 1+rng.IntN(40), pick(2, `"lo"`, `"eth0"`, `"eth1"`),
				pick(2, `"10.0.0.0/8"`, `"10.1.0.0/16"`, `"10.1.2.3"`, `"10.2.0.0/16"`, `"::/0"`, `"2001:db8::1"`), []string{"input", "forward"}[rng.IntN(2)])
		}
		bundle, diags := loadText("web.hcl", b.String(), maxWork)
		want := false
		for i, p := range bundle.Policies {
			for _, q := range bundle.Policies[:i] {
				want = want || meet(p, q)
			}
		}
		if want {
			met++
		}
		if len(bundle.Policies) != n || diags.HasErrors() != want {
			t.Fatalf("overlap: %t, want %t\n%s\n%s", diags.HasErrors(), want, b.String(), render(diags))
		}
	}
	if met < cases/6 || met > cases-cases/6 {
		t.Errorf("%d of %d cases met: the cases no longer test much", met, cases)
	}
}

// loadText loads one file from memory, whose expressions may do so much work.
func loadText(name, text string, work int64) (*Bundle, Diagnostics) {
	l := newLoader(Options{})
	l.budget.left = work
	if s := l.parse(name, []byte(text)); s != nil {
		l.load([]*source{s})
	}
	return l.bundle, l.report.finish()
}

func TestMergePrefixes(t *testing.T) {
	var in, want []netip.Prefix
	for _, s := range []string{"10.1.0.0/16", "2001:db8::/32", "10.0.0.0/8", "10.0.0.0/8", "2001:db8::1/128", "11.0.0.0/8", "9.9.9.9/32"} {
		in = append(in, netip.MustParsePrefix(s))
	}
	for _, s := range []string{"9.9.9.9/32", "10.0.0.0/8", "11.0.0.0/8", "2001:db8::/32"} {
		want = append(want, netip.MustParsePrefix(s))
	}
	if got := mergePrefixes(in); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMergePorts(t *testing.T) {
	got := mergePorts([]PortRange{{443, 443}, {80, 90}, {65535, 65535}, {85, 100}, {101, 101}, {1, 1}, {82, 83}})
	if want := []PortRange{{1, 1}, {80, 101}, {443, 443}, {65535, 65535}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
