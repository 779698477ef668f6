package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// guard is tcpguard's own defence: policies through Compile, Diff and a commit, as an apply does.
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

func (g *guard) bundle() *policy.Bundle {
	b := &policy.Bundle{}
	for i := range g.policies {
		b.Policies = append(b.Policies, g.policy(fmt.Sprintf("web%d", i), g.port(i)))
	}
	return b
}

func (g *guard) policy(name string, port uint16) policy.Policy {
	grouping := policy.Grouping{Per: policy.PerSource, IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 65536, OnFull: policy.OnFullDrop}
	return policy.Policy{
		Name: name, Protocol: policy.TCP, Ports: []policy.PortRange{{First: port, Last: port}}, Path: policy.PathInput, Mode: policy.ModeEnforce,
		Connection: &policy.ConnectionLimit{Grouping: grouping, Max: 20, Action: policy.ActionDrop},
		Rate: &policy.RateLimit{
			Grouping: grouping, Rate: policy.Rate{Count: 20, Interval: time.Minute}, Burst: 20, Window: policy.WindowToken, Action: policy.ActionDrop,
		},
		SYNFlood: &policy.SYNFlood{
			Protect: policy.ProtectAuto, Threshold: policy.Rate{Count: g.threshold, Interval: time.Second},
			Rate: policy.Rate{Count: 24000, Interval: time.Second}, MSS4: 1460, MSS6: 1440, WScale: 7, SACK: true,
		},
		Ban: &policy.Ban{
			After: policy.Rate{Count: 20, Interval: time.Minute}, For: 10 * time.Minute, Escalate: []uint32{1, 6, 144}, Proof: policy.ProofHandshake,
			IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 1 << 20,
		},
	}
}

// setUp leads the host to the policies, from nothing.
func (g *guard) setUp(s *site) {
	b := s.b
	bundle := g.bundle()
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
