package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// guard is tcpguard's own defence: policies through Load, Compile, Diff and a commit, as an apply does.
type guard struct {
	policies  int
	threshold uint64 // SYNs a second above which everybody is challenged
}

// firstPort is where the ports of many policies begin; no two are neighbours, so that none merge into a range.
const firstPort, portStep = 10000, 2

// A threshold that the clients of service stay below, and one above what calm makes.
const lowThreshold, highThreshold = 500, 1_000_000

func newGuard(name string, policies int) *defence {
	g := &guard{policies: policies, threshold: lowThreshold}
	return &defence{name: name, port: g.port(policies / 2), guard: g, setUp: g.setUp}
}

// port is the i-th policy's.
func (g *guard) port(i int) uint16 {
	if g.policies == 1 {
		return servicePort
	}
	return uint16(firstPort + portStep*i)
}

// text is the policy that a site holds, once for each port.
func (g *guard) text() string {
	var text strings.Builder
	for i := range g.policies {
		fmt.Fprintf(&text, `
policy "web%d" {
  ports = [%d]
  connection_limit { max = 20 }
  rate_limit { rate = "20/60s" }
  syn_flood {
    protect   = "auto"
    threshold = "%d/s"
  }
  ban {
    after      = "20/1m"
    for        = "10m"
    escalate   = [1, 6, 144]
    table_size = 1048576
  }
}
`, i, g.port(i), g.threshold)
	}
	return text.String()
}

// bundle loads the text as tcpguard would.
func (g *guard) bundle(b *bench) *policy.Bundle {
	folder, err := os.MkdirTemp("", "tcpguard-bench-")
	b.check("make a folder for policies", err)
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "web.hcl")
	b.check("write a policy", os.WriteFile(file, []byte(g.text()), 0o600))
	bundle, diagnostics := policy.Load(policy.Options{Paths: []string{file}, Facts: policy.Facts{MTUs: map[string]int{"eth0": 1500}}})
	if diagnostics.HasErrors() {
		b.Fatalf("load policies: %v", diagnostics)
	}
	return bundle
}

// setUp leads the host to the policies, from nothing.
func (g *guard) setUp(s *site) {
	b := s.b
	bundle := g.bundle(b)
	for _, setting := range sysctl.Protections(bundle.Policies) {
		s.Server.SetSysctl(b, strings.ReplaceAll(setting.Key, ".", "/"), strings.Join(setting.Want, " "))
	}
	desired, err := enforcer.Compile(bundle)
	if err == nil {
		err = nft.Normalize(desired)
	}
	b.check("compile", err)
	s.Server.Do(b, func() {
		conn, err := nft.Open()
		b.check("open netlink socket", err)
		defer conn.Close()
		for _, want := range []*enforcer.Ruleset{{}, desired} {
			actual, generation, err := conn.Read()
			b.check("read the kernel", err)
			if delta := enforcer.Diff(actual, want, noParts{}); !delta.Transaction.Empty() {
				b.check("commit", conn.Commit(delta.Transaction, generation))
			}
		}
	})
}

// noParts knows no list: these policies have none.
type noParts struct{}

// Part is for enforcer.Diff.
func (noParts) Part(string) (addrset.Part, bool) { return addrset.Part{}, false }
