package nft_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// fixtures are the objects that the statements below refer to, in the order nft lists them.
func fixtures() *enforcer.Ruleset {
	set := func(name string, interval bool, key ...enforcer.KeyType) enforcer.Set {
		return enforcer.Set{Name: name, Key: key, Interval: interval}
	}
	verdicts := func(s enforcer.Set) enforcer.Set { s.Verdicts = true; return s }
	return &enforcer.Ruleset{
		Exists:   true,
		Counters: []enforcer.Counter{{Name: "policy.web.accepted"}},
		Sets: []enforcer.Set{
			set("a4", false, enforcer.KeyIPv4), set("a6", true, enforcer.KeyIPv6), set("ports", true, enforcer.KeyPort),
			set("names", false, enforcer.KeyIfname), set("protos", false, enforcer.KeyL4Proto),
			set("wide", false, enforcer.KeyL4Proto, enforcer.KeyIfname, enforcer.KeyIPv6, enforcer.KeyPort),
			set("narrow", false, enforcer.KeyIfname, enforcer.KeyPort),
			{Name: "m4", Key: []enforcer.KeyType{enforcer.KeyIPv4}, Size: 100, Dynamic: true},
			{Name: "m6", Key: []enforcer.KeyType{enforcer.KeyIPv6}, Size: 100, Dynamic: true, Timeout: time.Minute},
			verdicts(set("v1", false, enforcer.KeyPort)), verdicts(set("v2", true, enforcer.KeyPort)),
			verdicts(set("v3", true, enforcer.KeyIfname, enforcer.KeyIPv4, enforcer.KeyPort)),
		},
		Chains: []enforcer.Chain{{Name: "input", Hook: enforcer.HookInput, Priority: -10}, {Name: "x"}},
	}
}

// fixtureText is the same written by hand; %s is a rule.
const fixtureText = `table inet tcpguard {
	counter policy.web.accepted { }
	set a4 { type ipv4_addr; }
	set a6 { type ipv6_addr; flags interval; }
	set ports { type inet_service; flags interval; }
	set names { type ifname; }
	set protos { type inet_proto; }
	set wide { type inet_proto . ifname . ipv6_addr . inet_service; }
	set narrow { type ifname . inet_service; }
	set m4 { type ipv4_addr; size 100; flags dynamic; }
	set m6 { type ipv6_addr; size 100; flags dynamic,timeout; timeout 1m; }
	map v1 { type inet_service : verdict; }
	map v2 { type inet_service : verdict; flags interval; }
	map v3 { type ifname . ipv4_addr . inet_service : verdict; flags interval; }
	chain input {
		type filter hook input priority -10; policy accept;
		%s comment "policy.web 0a1b2c3d"
	}
	chain x {
	}
}
`

// Every kind of statement, beside the text nft makes the same expressions of.
func statements() []struct {
	text string
	list []enforcer.Statement
} {
	type list = []enforcer.Statement
	fields := func(names ...enforcer.FieldName) (f []enforcer.Field) {
		for _, n := range names {
			f = append(f, enforcer.Field{Name: n})
		}
		return f
	}
	drop := enforcer.Verdict{Kind: enforcer.Drop}
	meter := func(set string, f enforcer.Field) enforcer.Meter {
		return enforcer.Meter{Set: set, Field: f, Over: &enforcer.LimitOver{Rate: 20, Unit: enforcer.Minute, Burst: 20}}
	}
	v4, v6 := enforcer.Field{Name: enforcer.IPSaddr}, enforcer.Field{Name: enforcer.IP6Saddr, Prefix: 64}
	refreshed := meter("m6", v6)
	refreshed.Update = true
	return []struct {
		text string
		list list
	}{
		{"ct state established,related accept", list{enforcer.MatchEstablished{}, enforcer.Verdict{Kind: enforcer.Accept}}},
		{`iif "lo" return`, list{enforcer.MatchLoopback{}, enforcer.Verdict{Kind: enforcer.Return}}},
		{"tcp flags syn / fin,syn,rst,ack drop", list{enforcer.MatchSYN{}, drop}},
		{"tcp flags != syn / fin,syn,rst,ack drop", list{enforcer.MatchSYN{Negate: true}, drop}},
		{`iif != "lo" drop`, list{enforcer.MatchLoopback{Negate: true}, drop}},
		{"ct state invalid,untracked drop", list{enforcer.MatchUnproven{}, drop}},
		{"ct status dnat drop", list{enforcer.MatchTranslated{}, drop}},
		{"tcp flags ack / syn,rst,ack drop", list{enforcer.MatchACK{}, drop}},
		{"fib saddr type != local accept", list{enforcer.MatchLocalSource{Negate: true}, enforcer.Verdict{Kind: enforcer.Accept}}},
		{"tcp flags syn,ack / fin,syn,rst,ack tcp window 0 notrack", list{enforcer.MatchProxyAnswer{}, enforcer.NoTrack{}}},
		{"ct state invalid drop", list{enforcer.MatchInvalid{}, drop}},
		{"meta nfproto ipv4 drop", list{enforcer.MatchFamily{}, drop}},
		{"meta nfproto ipv6 drop", list{enforcer.MatchFamily{IPv6: true}, drop}},
		{"fib saddr type local accept", list{enforcer.MatchLocalSource{}, enforcer.Verdict{Kind: enforcer.Accept}}},
		{"numgen random mod 16 0 drop", list{enforcer.Sample{Of: 16}, drop}},
		{"limit rate over 200/second burst 200 packets drop", list{enforcer.Limit{LimitOver: enforcer.LimitOver{Rate: 200, Unit: enforcer.Second, Burst: 200}}, drop}},
		{"limit rate 5/minute burst 5 packets return", list{enforcer.Limit{LimitOver: enforcer.LimitOver{Rate: 5, Unit: enforcer.Minute, Burst: 5}, Under: true}, enforcer.Verdict{Kind: enforcer.Return}}},
		{"add @m6 { ip6 saddr & ffff:ffff:ffff:ffff:: } drop", list{enforcer.Remember{Set: "m6", Field: v6}, drop}},
		{"update @m6 { ip6 saddr & ffff:ffff:ffff:ffff:: timeout 10m } drop", list{enforcer.Remember{Set: "m6", Field: v6, Timeout: 10 * time.Minute, Update: true}, drop}},
		{`log prefix "policy.web.deny: " drop`, list{enforcer.LogPacket{Prefix: "policy.web.deny: "}, drop}},
		{`log prefix "policy.web.deny: " group 7 drop`, list{enforcer.LogPacket{Prefix: "policy.web.deny: ", Nflog: true, Group: 7}, drop}},
		{"ct state invalid,untracked meta nfproto ipv4 synproxy mss 1460 wscale 7 sack-perm", list{enforcer.MatchUnproven{}, enforcer.MatchFamily{}, enforcer.SynProxy{MSS: 1460, WScale: 7, SACK: true}}},
		{"synproxy mss 1440 wscale 0 timestamp", list{enforcer.SynProxy{MSS: 1440, Timestamp: true}}},
		{"fib daddr type local drop", list{enforcer.MatchLocal{}, drop}},
		{"fib daddr type != local drop", list{enforcer.MatchLocal{Negate: true}, drop}},
		{"ip saddr @a4 drop", list{enforcer.MatchSet{Fields: fields(enforcer.IPSaddr), Set: "a4"}, drop}},
		{"ip saddr != @a4 drop", list{enforcer.MatchSet{Fields: fields(enforcer.IPSaddr), Set: "a4", Negate: true}, drop}},
		{"ip saddr & 255.255.255.0 @m4 drop", list{enforcer.MatchSet{Fields: []enforcer.Field{{Name: enforcer.IPSaddr, Prefix: 24}}, Set: "m4"}, drop}},
		{"ip6 saddr & ffff:ffff:ffff:ffff:: != @m6 drop", list{enforcer.MatchSet{Fields: []enforcer.Field{v6}, Set: "m6", Negate: true}, drop}},
		{"ip6 saddr @a6 drop", list{enforcer.MatchSet{Fields: fields(enforcer.IP6Saddr), Set: "a6"}, drop}},
		{"tcp dport @ports drop", list{enforcer.MatchSet{Fields: fields(enforcer.TCPDport), Set: "ports"}, drop}},
		{"udp dport @ports drop", list{enforcer.MatchSet{Fields: fields(enforcer.UDPDport), Set: "ports"}, drop}},
		{"iifname @names drop", list{enforcer.MatchSet{Fields: fields(enforcer.Iifname), Set: "names"}, drop}},
		{"meta l4proto @protos drop", list{enforcer.MatchSet{Fields: fields(enforcer.L4Proto), Set: "protos"}, drop}},
		{"iifname . tcp dport != @narrow drop", list{enforcer.MatchSet{Fields: fields(enforcer.Iifname, enforcer.TCPDport), Set: "narrow", Negate: true}, drop}},
		{"meta l4proto . iifname . ip6 daddr . tcp dport @wide drop", list{enforcer.MatchSet{
			Fields: fields(enforcer.L4Proto, enforcer.Iifname, enforcer.IP6Daddr, enforcer.TCPDport), Set: "wide"}, drop}},
		{"tcp dport vmap @v1", list{enforcer.VerdictMap{Fields: fields(enforcer.TCPDport), Map: "v1"}}},
		{"udp dport vmap @v2", list{enforcer.VerdictMap{Fields: fields(enforcer.UDPDport), Map: "v2"}}},
		{"iifname . ip daddr . tcp dport vmap @v3", list{enforcer.VerdictMap{
			Fields: fields(enforcer.Iifname, enforcer.IPDaddr, enforcer.TCPDport), Map: "v3"}}},
		{"add @m4 { ip saddr ct count over 5 } drop", list{enforcer.Meter{Set: "m4", Field: v4, ConnectionsOver: 5}, drop}},
		{"add @m4 { ip saddr limit rate over 20/minute burst 20 packets } drop", list{meter("m4", v4), drop}},
		{"update @m6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 20/minute burst 20 packets } drop", list{refreshed, drop}},
		{"counter name policy.web.accepted goto x", list{enforcer.Count{Counter: "policy.web.accepted"}, enforcer.Verdict{Kind: enforcer.Goto, Chain: "x"}}},
		{"update @m6 { ip6 saddr & ffff:ffff:ffff:ffff:: counter }", list{enforcer.Meter{Set: "m6", Field: v6, Packets: true, Update: true}}},
		{"jump x", list{enforcer.Verdict{Kind: enforcer.Jump, Chain: "x"}}},
		{"reject with tcp reset", list{enforcer.ResetTCP{}}},
		{"tcp dport @ports reject with tcp reset", list{enforcer.MatchSet{Fields: fields(enforcer.TCPDport), Set: "ports"}, enforcer.ResetTCP{}}},
		{"ip saddr @a4 reject with tcp reset", list{enforcer.MatchSet{Fields: fields(enforcer.IPSaddr), Set: "a4"}, enforcer.ResetTCP{}}},
		{"ip saddr @m4 ip saddr @a4 tcp dport vmap @v1", list{enforcer.MatchSet{Fields: fields(enforcer.IPSaddr), Set: "m4"},
			enforcer.MatchSet{Fields: fields(enforcer.IPSaddr), Set: "a4"}, enforcer.VerdictMap{Fields: fields(enforcer.TCPDport), Map: "v1"}}},
		{"tcp flags syn / fin,syn,rst,ack tcp dport vmap @v1", list{enforcer.MatchSYN{},
			enforcer.VerdictMap{Fields: fields(enforcer.TCPDport), Map: "v1"}}},
	}
}

// What nft makes of the text and what we make of the statements is the same to the kernel (Canon) and to whoever lists
// it, and reading back gives what was sent.
func TestStatementsAreWhatNftMakesOfTheirText(t *testing.T) {
	ours, byHand := newKernel(t), newKernel(t)
	for _, tt := range statements() {
		t.Run(tt.text, func(t *testing.T) {
			want := fixtures()
			want.Chains[0].Rules = []enforcer.Rule{{Address: "policy.web", Comment: "policy.web 0a1b2c3d", Statements: tt.list}}
			if err := nft.Normalize(want); err != nil {
				t.Fatal(err)
			}
			ours.commit(t, build(want)...)
			defer ours.commit(t, enforcer.Op{Verb: enforcer.Delete, Table: true})
			nettest.NftLoad(t, byHand.ns, fmt.Sprintf(fixtureText, tt.text))
			defer byHand.commit(t, enforcer.Op{Verb: enforcer.Delete, Table: true})

			if got, want := ours.list(t), byHand.list(t); got != want {
				t.Errorf("nft lists ours as\n%s\nand its own as\n%s", got, want)
			}
			rule := want.Chains[0].Rules[0]
			for who, k := range map[string]kernel{"ours": ours, "nft's": byHand} {
				rs := k.read(t)
				if len(rs.Chains[0].Rules) != 1 {
					t.Fatalf("%s: read %d rules", who, len(rs.Chains[0].Rules))
				}
				got := rs.Chains[0].Rules[0]
				if !bytes.Equal(got.Canon, rule.Canon) {
					t.Errorf("%s: canonical form read back\n%x, want\n%x", who, got.Canon, rule.Canon)
				}
				if got.Comment != rule.Comment || got.Address != "policy.web" || got.Handle == 0 {
					t.Errorf("%s: comment %q, address %q, handle %d", who, got.Comment, got.Address, got.Handle)
				}
			}
		})
	}
}

func TestStatementsThatCannotBeEncoded(t *testing.T) {
	udp := enforcer.MatchSet{Fields: []enforcer.Field{{Name: enforcer.UDPDport}}, Set: "ports"}
	for _, tt := range []struct {
		want string
		list []enforcer.Statement
	}{
		{"both IPv4 and IPv6", []enforcer.Statement{enforcer.MatchFamily{}, enforcer.MatchFamily{IPv6: true}}},
		{"both TCP and UDP", []enforcer.Statement{enforcer.MatchSYN{}, udp}},
		{"only TCP can be reset", []enforcer.Statement{udp, enforcer.ResetTCP{}}},
		{"unknown field", []enforcer.Statement{enforcer.MatchSet{Fields: []enforcer.Field{{Name: "ip ttl"}}}}},
		{"without fields", []enforcer.Statement{enforcer.VerdictMap{}}},
		{"prefix of 33 bits", []enforcer.Statement{enforcer.MatchSet{Fields: []enforcer.Field{{Name: enforcer.IPSaddr, Prefix: 33}}}}},
		{"exactly one of", []enforcer.Statement{enforcer.Meter{Set: "m", Field: enforcer.Field{Name: enforcer.IPSaddr}}}},
		{"unknown verdict", []enforcer.Statement{enforcer.Verdict{Kind: "queue"}}},
		{`verdict "jump" with chain ""`, []enforcer.Statement{enforcer.Verdict{Kind: enforcer.Jump}}},
	} {
		rs := &enforcer.Ruleset{Chains: []enforcer.Chain{{Name: "c", Rules: []enforcer.Rule{{Address: "policy.web", Statements: tt.list}}}}}
		err := nft.Normalize(rs)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "encode policy.web: chain c, rule 1: ") {
			t.Errorf("got %v, want one with %q", err, tt.want)
		}
	}
}
