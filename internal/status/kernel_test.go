package status_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/internal/status"
	"github.com/tcpguard/tcpguard/policy"
)

const port = 443

// watched is a server that holds a policy, and a client with many addresses.
type watched struct {
	*nettest.Topology
	server *nettest.Server
	conn   *nft.Conn
	bundle *policy.Bundle
}

func watch(t *testing.T, text string) *watched {
	t.Helper()
	nettest.Need(t)
	w := &watched{Topology: nettest.Pair(t)}
	w.server = nettest.Listen(t, w.Server, nettest.Port(port))
	file := filepath.Join(t.TempDir(), "policy.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var diags policy.Diagnostics
	if w.bundle, diags = policy.Load(policy.Options{Paths: []string{file}}); diags.HasErrors() {
		t.Fatal(diags)
	}
	w.Server.Do(t, func() {
		var err error
		if w.conn, err = nft.Open(); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { w.conn.Close() })
	desired, err := enforcer.Compile(w.bundle)
	if err != nil {
		t.Fatal(err)
	}
	if err := nft.Normalize(desired); err != nil {
		t.Fatal(err)
	}
	actual, generation, err := w.conn.Read()
	if err != nil {
		t.Fatal(err)
	}
	delta := enforcer.Diff(actual, desired, nil)
	if err := w.conn.Commit(delta.Transaction, generation); err != nil {
		t.Fatal(err)
	}
	return w
}

// status reads what the server's kernel holds.
func (w *watched) status(t *testing.T, bundle *policy.Bundle) *status.Status {
	t.Helper()
	var s *status.Status
	w.Server.Do(t, func() {
		var err error
		s, err = status.Read(t.Context(), w.conn, bundle, status.Options{Root: host.Proc, Top: 2, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
	})
	return s
}

// connect makes connections one after the other, and says how many were made.
func (w *watched) connect(t *testing.T, from, to netip.Addr, n int) (made int) {
	t.Helper()
	for range n {
		if _, outcome := nettest.Dial(t, w.Client, from, netip.AddrPortFrom(to, port), nettest.SYNTimeout); outcome == nettest.Connected {
			made++
		}
	}
	return made
}

// refusals gives what has been counted, by reason.
func refusals(p status.Policy) map[string]uint64 {
	found := map[string]uint64{}
	for _, r := range p.Refusals {
		if r.Packets > 0 {
			found[r.Reason] = r.Packets
		}
	}
	return found
}

func tableOf(t *testing.T, p status.Policy, name, family string) status.Table {
	t.Helper()
	i := slices.IndexFunc(p.Tables, func(x status.Table) bool { return x.Name == name && x.Family == family })
	if i < 0 {
		t.Fatalf("there is no table %s %s among %+v", name, family, p.Tables)
	}
	return p.Tables[i]
}

func TestZealousSourceLeadsTheListOfAMonitoringPolicy(t *testing.T) {
	w := watch(t, fmt.Sprintf(`policy "web" {
		mode  = "monitor"
		ports = [%d]
		rate_limit {
			rate  = "1/1h"
			burst = 2
		}
		connection_limit { max = 1000 }
	}`, port))
	mild, zealous := nettest.SourceIn(nettest.Sources4, 1), nettest.SourceIn(nettest.Sources6, 2)
	calm := nettest.SourceIn(nettest.Sources4, 3)
	for _, c := range []struct {
		from, to netip.Addr
		n        int
	}{{mild, nettest.Server4, 5}, {zealous, nettest.Server6, 12}, {calm, nettest.Server4, 2}} {
		if made := w.connect(t, c.from, c.to, c.n); made != c.n {
			t.Fatalf("%v made %d of %d connections: monitor mode refuses nothing", c.from, made, c.n)
		}
	}
	s := w.status(t, w.bundle)
	if len(s.Policies) != 1 || !s.Policies[0].Monitored() || !s.Policies[0].Held {
		t.Fatalf("policies are %+v", s.Policies)
	}
	p := s.Policies[0]
	// The first two of each source are its burst; what would be refused is accepted here, and counted once.
	if got := refusals(p); len(got) != 1 || got["rate_limit"] != 3+10 {
		t.Errorf("would have refused %v, want rate_limit 13", got)
	}
	if p.Accepted.Packets != 6 {
		t.Errorf("accepted %d, want 6", p.Accepted.Packets)
	}
	prefix, _ := zealous.Prefix(64)
	if p.Shadow.Sources != 2 || len(p.Shadow.Top) != 2 || p.Shadow.Top[0].Name != prefix.String() || p.Shadow.Top[0].Packets != 10 ||
		p.Shadow.Top[1].Name != mild.String() || p.Shadow.Top[1].Packets != 3 {
		t.Errorf("hit most: %+v, want %v with 10 before %v with 3", p.Shadow, prefix, mild)
	}
	for _, top := range p.Shadow.Top {
		if top.Expires < 59*time.Minute || top.Expires > time.Hour || top.LastSeen > time.Minute || top.Bytes == 0 {
			t.Errorf("%+v: want a source seen just now and kept for an hour", top)
		}
	}
	if x := tableOf(t, p, "rate_limit", "ipv4"); x.Count != 2 || x.Size != 65536 {
		t.Errorf("rate_limit's table is %+v, want 2 sources of 65536", x)
	}
	if x := tableOf(t, p, "connection_limit", "ipv6"); x.Count != 1 {
		t.Errorf("connection_limit's table is %+v, want 1 source", x)
	}
}

func TestEnforcedPolicyAndTheHostAroundIt(t *testing.T) {
	w := watch(t, fmt.Sprintf(`policy "web" {
		ports = [%d]
		allow = ["10.64.0.9"]
		connection_limit {
			max    = 2
			action = "reset"
		}
		ban {
			after = "3/1h"
			for   = "1h"
			proof = "none"
		}
		syn_flood { protect = "off" }
	}`, port))
	churner, friend := nettest.SourceIn(nettest.Sources4, 1), netip.MustParseAddr("10.64.0.9")
	if made := w.connect(t, churner, nettest.Server4, 5); made != 2 {
		t.Fatalf("%d connections were made, want 2", made)
	}
	if made := w.connect(t, friend, nettest.Server4, 3); made != 3 {
		t.Fatalf("a friend made %d connections, want 3", made)
	}
	w.server.AwaitHeld(t, 5)
	for name, bundle := range map[string]*policy.Bundle{"with its files": w.bundle, "from the kernel alone": nil} {
		t.Run(name, func(t *testing.T) {
			s := w.status(t, bundle)
			if len(s.Policies) != 1 || s.Policies[0].Name != "web" || s.Policies[0].Declared != (bundle != nil) {
				t.Fatalf("policies are %+v", s.Policies)
			}
			p := s.Policies[0]
			if p.Accepted.Packets != 2 || p.Allowed.Packets != 3 {
				t.Errorf("accepted %d and allowed %d, want 2 and 3", p.Accepted.Packets, p.Allowed.Packets)
			}
			// The third violation bans.
			if got := refusals(p); got["connection_limit"] != 2 || got["ban.added"] != 1 {
				t.Errorf("refused %v, want two by connection_limit and a ban by the third", got)
			}
			if n := status.Bans(p.Tables); n != 1 {
				t.Errorf("%d bans are in force, want 1", n)
			}
			if len(p.Ports) != 1 || p.Ports[0].First != port || p.Ports[0].Last != port {
				t.Errorf("ports are %v, want %d", p.Ports, port)
			}
			if len(s.Listeners) != 1 || s.Listeners[0].Port != port || s.Listeners[0].Policy != "policy.web" || s.Listeners[0].Backlog == 0 {
				t.Errorf("listeners are %+v, want the one of policy.web", s.Listeners)
			}
			states := map[string]int{}
			for _, c := range s.TCP.States.Counts {
				states[c.State] = c.Count
			}
			if states["ESTABLISHED"] != 5 || states["LISTEN"] != 1 {
				t.Errorf("connections by state are %v, want 5 established and a listener", states)
			}
			if !s.Conntrack.Tracking || s.Conntrack.Count < 5 || s.Conntrack.Size == 0 {
				t.Errorf("conntrack is %+v, want the 5 connections in it", s.Conntrack)
			}
			if len(s.Notes) > 0 {
				t.Errorf("notes are %q", s.Notes)
			}
		})
	}
}
