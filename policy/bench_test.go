package policy

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// manyPolicies writes n policies that meet in nothing: a quarter by port, a quarter by address on one port, a quarter
// by interface, a quarter by the address of a whole range of ports.
func manyPolicies(n int) string {
	var b strings.Builder
	for i := range n {
		where := ""
		switch i % 4 {
		case 0:
			where = fmt.Sprintf("ports = [%d]", 10000+i)
		case 1:
			where = fmt.Sprintf("ports = [443]\n  addresses = [cidrhost(\"10.0.0.0/8\", %d)]", i)
		case 2:
			where = fmt.Sprintf("ports = [444]\n  interfaces = [\"eth%d\"]", i)
		case 3:
			where = fmt.Sprintf("ports = [\"1-400\"]\n  addresses = [cidrhost(\"2001:db8::/32\", %d)]", i)
		}
		fmt.Fprintf(&b, "policy \"p%d\" {\n  %s\n  deny = [list.blocklist]\n  connection_limit { max = var.max }\n  rate_limit { rate = \"20/60s\" }\n}\n", i, where)
	}
	return "variable \"max\" { default = 5 }\nlist \"blocklist\" { file = \"list.txt\" }\n" + b.String()
}

func manyAddresses(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "11.%d.%d.%d\n", i>>16&255, i>>8&255, i&255)
	}
	return b.String()
}

// BenchmarkLoadPolicies shows that the time grows with the number of policies and not with its square: ns/policy
// stays level.
func BenchmarkLoadPolicies(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			opts := write(b, map[string]string{"web.hcl": manyPolicies(n), "list.txt": manyAddresses(100)})
			b.ReportAllocs()
			for b.Loop() {
				mustLoad(b, opts)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/policy")
		})
	}
}

// BenchmarkLoadList shows the same for the entries of a list.
func BenchmarkLoadList(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			opts := write(b, map[string]string{"web.hcl": manyPolicies(10), "list.txt": manyAddresses(n)})
			b.ReportAllocs()
			for b.Loop() {
				mustLoad(b, opts)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
		})
	}
}

// TestManyPolicies holds that thousands of policies are no matter. The bound is that of a slow machine with the race
// detector; BenchmarkLoadPolicies shows the rate.
func TestManyPolicies(t *testing.T) {
	opts := write(t, map[string]string{"web.hcl": manyPolicies(500), "list.txt": "192.0.2.1\n"})
	start := processTime(t)
	bundle := mustLoad(t, opts)
	if took := processTime(t) - start; took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if len(bundle.Policies) != 500 {
		t.Errorf("%d policies", len(bundle.Policies))
	}
	// One more that meets the last ones: found among all.
	more := "policy \"late\" {\n  ports = [10000]\n  interfaces = [\"lo\", \"eth9\"]\n  rate_limit { rate = \"1/s\" }\n}\n"
	if err := os.WriteFile("x.hcl", []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	_, diags := Load(opts)
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, `"p0" and "late" both cover port 10000/tcp`) {
		t.Errorf("got %s", render(diags))
	}
}
