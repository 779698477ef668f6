package view

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/internal/status"
	"github.com/tcpguard/tcpguard/policy"
)

// exampleStatus has something of everything.
func exampleStatus() *status.Status {
	return &status.Status{
		Namespace: "default", Time: time.Date(2026, 5, 9, 14, 0, 0, 123456789, time.FixedZone("CEST", 7200)), Applied: true,
		Sync: status.Sync{
			Pending: []reconcile.Change{
				{Address: "policy.ssh", Kind: reconcile.KindNFTables, Action: reconcile.ActionCreate, Reason: "declared", Range: at("/etc/p/bastion.hcl", 13)},
				{Address: "policy.web.rate_limit", Kind: reconcile.KindNFTables, Action: reconcile.ActionRepair,
					Reason: "missing from the kernel: will be put back", Range: at("/etc/p/web.hcl", 15)},
			},
			Summary: reconcile.Summary{Add: 1, Repair: 1},
		},
		Policies: []status.Policy{
			{Name: "api", Declared: true, Held: true, Mode: policy.ModeMonitor, Protocol: policy.TCP, Path: policy.PathInput,
				Ports: []policy.PortRange{{First: 8080, Last: 8089}}, Range: at("/etc/p/api.hcl", 1),
				Accepted: status.Traffic{Packets: 1, Bytes: 60},
				Refusals: []status.Refusal{{Reason: "rate_limit", Kind: status.Refused, Traffic: status.Traffic{Packets: 12345, Bytes: 740700}}},
				Tables: []status.Table{
					{Name: "rate_limit", Set: "policy.api.rate_limit.v4.6738b1ea", Family: "ipv4", Fill: status.Fill{Count: -1, Size: 65536}},
					{Name: "shadow", Set: "policy.api.shadow.v4", Family: "ipv4", Fill: status.Fill{Count: 3, Size: 65536}},
				},
				Shadow: status.Shadow{Sources: 3, Top: []status.Source{
					{Name: "2001:db8:1234:5678::/64", Traffic: status.Traffic{Packets: 12000, Bytes: 720000}, LastSeen: 1200 * time.Millisecond, Expires: 3598800 * time.Millisecond},
					{Name: "192.0.2.7", Traffic: status.Traffic{Packets: 300, Bytes: 18000}, LastSeen: 30 * time.Minute, Expires: 30 * time.Minute},
				}}},
			{Name: "ssh", Declared: true, Mode: policy.ModeEnforce, Protocol: policy.TCP, Path: policy.PathInput,
				Ports: []policy.PortRange{{First: 22, Last: 22}}, Range: at("/etc/p/bastion.hcl", 13)},
			{Name: "web", Declared: true, Held: true, Mode: policy.ModeEnforce, Protocol: policy.TCP, Path: policy.PathForward,
				Ports: []policy.PortRange{{First: 80, Last: 80}, {First: 443, Last: 443}}, Range: at("/etc/p/web.hcl", 7),
				Accepted: status.Traffic{Packets: 1234567, Bytes: 74074020}, Allowed: status.Traffic{Packets: 20, Bytes: 1200},
				Refusals: []status.Refusal{
					{Reason: "syn_flood.challenged", Kind: status.Challenged, Traffic: status.Traffic{Packets: 900, Bytes: 54000}},
					{Reason: "connection_limit", Kind: status.Refused, Traffic: status.Traffic{Packets: 17, Bytes: 1020}},
					{Reason: "connection_limit.full", Kind: status.Refused, Traffic: status.Traffic{Packets: 2, Bytes: 120}},
					{Reason: "rate_limit", Kind: status.Refused},
					{Reason: "ban.added", Kind: status.Banned, Traffic: status.Traffic{Packets: 1, Bytes: 60}},
				},
				Tables: []status.Table{
					{Name: "ban", Set: "policy.web.ban.v4", Family: "ipv4", Fill: status.Fill{Count: 1, Size: 65536}},
					{Name: "ban", Set: "policy.web.ban.v6", Family: "ipv6", Fill: status.Fill{Count: 0, Size: 65536}},
					{Name: "connection_limit", Set: "policy.web.connection_limit.v4.3622931a", Family: "ipv4", Fill: status.Fill{Count: 62000, Size: 65536}},
					{Name: "connection_limit", Set: "policy.web.connection_limit.v6.3622931a", Family: "ipv6", Fill: status.Fill{Count: 0, Size: 65536}},
					{Name: "syn_flood.hot", Set: "policy.web.syn_flood.hot.v4", Family: "ipv4", Fill: status.Fill{Count: 0, Size: 65536}},
				}},
		},
		Bans: status.HostBans{Dropped: status.Traffic{Packets: 5, Bytes: 300}, Tables: []status.Table{
			{Name: "ban", Set: "ban.v4", Family: "ipv4", Fill: status.Fill{Count: 3, Size: 1 << 20}},
			{Name: "ban.net", Set: "ban.v4.net", Family: "ipv4", Fill: status.Fill{Count: 2, Size: 1 << 20}},
		}},
		Conntrack: status.Conntrack{Tracking: true, Fill: status.Fill{Count: 200000, Size: 262144}, Dropped: 4, EvictedEarly: 6},
		TCP: status.TCP{
			States: status.States{Counts: []status.StateCount{{State: "LISTEN", Count: 2}, {State: "ESTABLISHED", Count: 1204}}, TimeWait: 40},
			Queues: status.Queues{AcceptOverflows: 3, ListenDrops: 3, SYNCookied: 9}, Cookies: status.Cookies{Sent: 9, Returned: 8, Failed: 1},
		},
		Listeners: []status.Listener{{Policy: "policy.api", Listener: host.Listener{
			Address: netip.IPv4Unspecified(), Port: 8080, Queued: 128, Backlog: 128, Process: host.Process{PID: 77, Command: "apid"},
		}}},
		Notes: []string{"list TCP listeners: no IPv6"},
	}
}

func TestStatusDocuments(t *testing.T) {
	for name, s := range map[string]*status.Status{
		"status": exampleStatus(),
		"status-empty": {Namespace: "default", Sync: status.Sync{Unknown: "the policy has 1 error"},
			Conntrack: status.Conntrack{Fill: status.Fill{Count: -1}}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := NewJSON(&out).Status(s); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", &out, want)
			}
			checkRules(t, out.Bytes())
		})
	}
}
