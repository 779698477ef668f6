package nft_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// key joins the fields of an element's key, each padded as in a concatenation.
func key(fields ...any) (b []byte) {
	for _, f := range fields {
		switch f := f.(type) {
		case int:
			b = append(b, byte(f>>8), byte(f))
		case string:
			if a, err := netip.ParseAddr(f); err == nil {
				b = append(b, a.AsSlice()...)
			} else {
				b = append(b, append([]byte(f), make([]byte, 16-len(f))...)...)
			}
		}
		for len(fields) > 1 && len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	return b
}

// Small sets and maps of every shape list as nft lists what it loaded itself, and are read back as they were sent.
func TestElementsOfEveryShape(t *testing.T) {
	v := func(kind enforcer.VerdictKind, chain string) *enforcer.Verdict {
		return &enforcer.Verdict{Kind: kind, Chain: chain}
	}
	types := func(k ...enforcer.KeyType) []enforcer.KeyType { return k }
	for _, tt := range []struct {
		name, text string
		set        enforcer.Set
	}{
		{"addresses", "set s { type ipv4_addr; elements = { 192.0.2.1, 198.51.100.7 }; }", enforcer.Set{
			Key: types(enforcer.KeyIPv4), Elements: []enforcer.Element{{Key: key("192.0.2.1")}, {Key: key("198.51.100.7")}}}},
		{"ranges to both ends", "set s { type ipv4_addr; size 64; flags interval; elements = { 0.0.0.0/8, 10.0.0.1, 250.0.0.0-255.255.255.255 }; }", enforcer.Set{
			Key: types(enforcer.KeyIPv4), Interval: true, Size: 64, Elements: []enforcer.Element{
				{Key: key("0.0.0.0"), KeyEnd: key("0.255.255.255")}, {Key: key("10.0.0.1")}, {Key: key("250.0.0.0"), KeyEnd: key("255.255.255.255")}}}},
		{"IPv6 ranges", "set s { type ipv6_addr; flags interval; elements = { 2001:db8::/64, ff00::/8 }; }", enforcer.Set{
			Key: types(enforcer.KeyIPv6), Interval: true, Elements: []enforcer.Element{
				{Key: key("2001:db8::"), KeyEnd: key("2001:db8::ffff:ffff:ffff:ffff")},
				{Key: key("ff00::"), KeyEnd: key("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}}}},
		{"names", `set s { type ifname; elements = { "eth0", "wlan0" }; }`, enforcer.Set{
			Key: types(enforcer.KeyIfname), Elements: []enforcer.Element{{Key: key("eth0")}, {Key: key("wlan0")}}}},
		{"one last port", "set s { type inet_service; flags interval; elements = { 65535 }; }", enforcer.Set{
			Key: types(enforcer.KeyPort), Interval: true, Elements: []enforcer.Element{{Key: key(65535)}}}},
		{"concatenations", `set s { type ifname . inet_service; elements = { "eth0" . 80, "eth1" . 443 }; }`, enforcer.Set{
			Key: types(enforcer.KeyIfname, enforcer.KeyPort), Elements: []enforcer.Element{{Key: key("eth0", 80)}, {Key: key("eth1", 443)}}}},
		{"verdicts", "map s { type inet_service : verdict; elements = { 1 : accept, 2 : drop, 3 : return, 4 : goto x, 5 : jump x }; }", enforcer.Set{
			Key: types(enforcer.KeyPort), Verdicts: true, Elements: []enforcer.Element{
				{Key: key(1), Verdict: v(enforcer.Accept, "")}, {Key: key(2), Verdict: v(enforcer.Drop, "")},
				{Key: key(3), Verdict: v(enforcer.Return, "")}, {Key: key(4), Verdict: v(enforcer.Goto, "x")},
				{Key: key(5), Verdict: v(enforcer.Jump, "x")}}}},
		{"verdicts of ranges that touch", "map s { type inet_service : verdict; flags interval; elements = { 80-90 : goto x, 91 : drop, 1000-65535 : accept }; }", enforcer.Set{
			Key: types(enforcer.KeyPort), Verdicts: true, Interval: true, Elements: []enforcer.Element{
				{Key: key(80), KeyEnd: key(90), Verdict: v(enforcer.Goto, "x")}, {Key: key(91), Verdict: v(enforcer.Drop, "")},
				{Key: key(1000), KeyEnd: key(65535), Verdict: v(enforcer.Accept, "")}}}},
		{"verdicts of concatenated ranges", `map s { type ifname . ipv4_addr . inet_service : verdict; flags interval; elements = { "eth0" . 192.0.2.0/24 . 80-90 : goto x, "eth1" . 192.0.2.1 . 80 : drop }; }`, enforcer.Set{
			Key: types(enforcer.KeyIfname, enforcer.KeyIPv4, enforcer.KeyPort), Verdicts: true, Interval: true, Elements: []enforcer.Element{
				{Key: key("eth0", "192.0.2.0", 80), KeyEnd: key("eth0", "192.0.2.255", 90), Verdict: v(enforcer.Goto, "x")},
				{Key: key("eth1", "192.0.2.1", 80), Verdict: v(enforcer.Drop, "")}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours, byHand := newKernel(t), newKernel(t)
			tt.set.Name = "s"
			want := &enforcer.Ruleset{Sets: []enforcer.Set{tt.set}, Chains: []enforcer.Chain{{Name: "x"}}}
			ours.commit(t, build(want)...)
			nettest.NftLoad(t, byHand.ns, "table inet tcpguard {\n"+tt.text+"\nchain x { }\n}\n")
			if got, want := ours.list(t), byHand.list(t); got != want {
				t.Errorf("nft lists ours as\n%s\nand its own as\n%s", got, want)
			}
			for who, k := range map[string]kernel{"ours": ours, "nft's": byHand} {
				got := k.read(t).Sets[0]
				if got.Raw != nil || !got.Listed || !reflect.DeepEqual(got.Elements, tt.set.Elements) {
					t.Errorf("%s: read\n%+v, want\n%+v", who, got, tt.set.Elements)
				}
			}
			ours.commit(t, enforcer.Op{Verb: enforcer.Delete, InSet: &tt.set, Elements: tt.set.Elements})
			if got := ours.read(t).Sets[0]; len(got.Elements) != 0 || got.Count > 0 {
				t.Errorf("after deleting all: %+v", got)
			}
		})
	}
}

func listSet(kind addrset.Kind) *enforcer.Set {
	s := &enforcer.Set{Name: "list.test", Key: []enforcer.KeyType{enforcer.KeyIPv4}, Interval: kind == addrset.Ranges4 || kind == addrset.Ranges6}
	if kind == addrset.Addrs6 || kind == addrset.Ranges6 {
		s.Key[0] = enforcer.KeyIPv6
	}
	return s
}

// A list changed a hundred times by deltas holds what the same list loaded at once does.
func TestDeltasAddUp(t *testing.T) {
	for kind := range addrset.NumKinds {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			k, random := newKernel(t), rand.New(rand.NewPCG(1, uint64(kind)))
			set := listSet(kind)
			k.commit(t, build(&enforcer.Ruleset{Sets: []enforcer.Set{*set}})...)
			have := addrset.Part{Kind: kind}
			for range 100 {
				next := randomPart(random, kind)
				added, removed := addrset.DiffParts(have, next)
				k.commit(t, enforcer.Op{Verb: enforcer.Delete, InSet: set, Members: &removed},
					enforcer.Op{Verb: enforcer.Add, InSet: set, Members: &added})
				have = next
				got := k.read(t).Sets[0]
				if want := elementsOf(have); !slices.EqualFunc(got.Elements, want, sameElement) {
					t.Fatalf("read\n%+v, want\n%+v", got.Elements, want)
				}
			}
		})
	}
}

func sameElement(a, b enforcer.Element) bool {
	return string(a.Key) == string(b.Key) && string(a.KeyEnd) == string(b.KeyEnd)
}

// randomPart picks from 40 cells, so that one part has much in common with the next; first and last addresses included.
func randomPart(r *rand.Rand, kind addrset.Kind) addrset.Part {
	p := addrset.Part{Kind: kind}
	for cell := range uint32(40) {
		if r.IntN(2) == 0 {
			continue
		}
		lo, hi := cell<<26+r.Uint32N(2), cell<<26+2+r.Uint32N(2)
		if cell == 39 {
			lo, hi = math.MaxUint32-1-r.Uint32N(2), uint32(math.MaxUint32)
		}
		hi6 := addrset.Addr6{Hi: uint64(hi) << 32, Lo: math.MaxUint64}
		if hi == math.MaxUint32 {
			hi6.Hi = math.MaxUint64
		}
		p.Addrs4 = append(p.Addrs4, lo)
		p.Ranges4 = append(p.Ranges4, addrset.Range4{Lo: lo, Hi: hi})
		p.Addrs6 = append(p.Addrs6, addrset.Addr6{Hi: uint64(lo)})
		p.Ranges6 = append(p.Ranges6, addrset.Range6{Lo: addrset.Addr6{Hi: uint64(lo) << 32}, Hi: hi6})
	}
	switch kind {
	case addrset.Addrs4:
		return addrset.Part{Kind: kind, Addrs4: p.Addrs4}
	case addrset.Ranges4:
		return addrset.Part{Kind: kind, Ranges4: p.Ranges4}
	case addrset.Addrs6:
		return addrset.Part{Kind: kind, Addrs6: p.Addrs6}
	}
	return addrset.Part{Kind: kind, Ranges6: p.Ranges6}
}

func elementsOf(p addrset.Part) (list []enforcer.Element) {
	for lo, hi := range p.All() {
		e := enforcer.Element{Key: lo.AsSlice()}
		if lo != hi {
			e.KeyEnd = hi.AsSlice()
		}
		list = append(list, e)
	}
	return list
}

// The count of a large set of ranges is that of its ranges, although the last range there can be has no end element.
func TestRangesAreCounted(t *testing.T) {
	middle := make([]addrset.Range4, 5000)
	for i := range middle {
		middle[i] = addrset.Range4{Lo: uint32(i+1) << 16, Hi: uint32(i+1)<<16 + 9}
	}
	first, last := addrset.Range4{Hi: 5}, addrset.Range4{Lo: math.MaxUint32 - 5, Hi: math.MaxUint32}
	for name, ranges := range map[string][]addrset.Range4{
		"middle": middle, "from the first": slices.Concat([]addrset.Range4{first}, middle),
		"to the last":                slices.Concat(middle, []addrset.Range4{last}),
		"from the first to the last": slices.Concat([]addrset.Range4{first}, middle, []addrset.Range4{last}),
	} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			set := *listSet(addrset.Ranges4)
			set.Members = &addrset.Part{Kind: addrset.Ranges4, Ranges4: ranges}
			k.commit(t, build(&enforcer.Ruleset{Sets: []enforcer.Set{set}})...)
			got := k.read(t).Sets[0]
			if got.Count == -1 {
				t.Skip("needs Linux 6.16, which counts a set's elements")
			}
			if got.Count != len(ranges) || got.Listed {
				t.Errorf("ours: counted %d of %d, listed %t", got.Count, len(ranges), got.Listed)
			}
		})
	}
}

// Entries that fill several messages arrive whole, whatever their size.
func TestElementsFillManyMessages(t *testing.T) {
	k := newKernel(t)
	for name, fields := range map[string]int{"one field": 1, "three fields": 3} {
		set := enforcer.Set{Name: name[:3], Key: []enforcer.KeyType{enforcer.KeyPort}, Verdicts: true, Interval: true}
		if fields == 3 {
			set.Key = []enforcer.KeyType{enforcer.KeyIfname, enforcer.KeyIPv6, enforcer.KeyPort}
		}
		for port := range 4000 {
			e := enforcer.Element{Key: key(port * 2), Verdict: &enforcer.Verdict{Kind: enforcer.Goto, Chain: "x"}}
			if fields == 3 {
				e.Key = key("eth0", "2001:db8::1", port*2)
			}
			set.Elements = append(set.Elements, e)
		}
		k.commit(t, build(&enforcer.Ruleset{Sets: []enforcer.Set{set}, Chains: []enforcer.Chain{{Name: "x"}}})...)
	}
	for _, s := range k.read(t).Sets {
		if len(s.Elements) != 4000 || !s.Listed {
			t.Errorf("%s: read %d elements of 4000", s.Name, len(s.Elements))
		}
	}
}

func TestElementsThatCannotBeEncoded(t *testing.T) {
	port, range4 := enforcer.Set{Name: "s", Key: []enforcer.KeyType{enforcer.KeyPort}}, addrset.Part{Kind: addrset.Ranges4, Ranges4: make([]addrset.Range4, 1)}
	for want, op := range map[string]enforcer.Op{
		"the set's keys have 2 bytes":       {InSet: &port, Elements: []enforcer.Element{{Key: []byte{1}}}},
		"not an interval set":               {InSet: &port, Elements: []enforcer.Element{{Key: key(1), KeyEnd: key(2)}}},
		"verdicts belong into verdict maps": {InSet: &port, Elements: []enforcer.Element{{Key: key(1), Verdict: &enforcer.Verdict{Kind: enforcer.Drop}}}},
		"cannot hold members of kind 1":     {InSet: &port, Members: &range4},
	} {
		op.Verb, op.Address = enforcer.Add, "policy.web"
		if err := nft.EncodeOnly(op); err == nil || !contains(err, want) || !contains(err, "encode policy.web: add ") {
			t.Errorf("got %v, want one with %q", err, want)
		}
	}
}
