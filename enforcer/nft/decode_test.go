package nft

import (
	"bytes"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/addrset"
)

// encodeExpr encodes one list element; each attribute is a type and its payload.
func encodeExpr(name string, attrs ...[]byte) []byte {
	layOut := func(w *wire) {
		at := w.nest(unix.NFTA_LIST_ELEM)
		w.str(unix.NFTA_EXPR_NAME, name)
		body := w.nest(unix.NFTA_EXPR_DATA)
		for _, a := range attrs {
			w.bytes(uint16(a[0]), a[1:])
		}
		w.end(body)
		w.end(at)
	}
	var w wire
	layOut(&w)
	w = wire{buf: make([]byte, w.n)}
	layOut(&w)
	return w.buf
}

func TestCanonMasksWhatTheKernelAdds(t *testing.T) {
	set := append([]byte{unix.NFTA_LOOKUP_SET}, "s\x00"...)
	sreg := []byte{unix.NFTA_LOOKUP_SREG, 0, 0, 0, 1}
	bare := encodeExpr("lookup", set, sreg)
	packets := func(n byte) []byte { return []byte{unix.NFTA_COUNTER_PACKETS, 0, 0, 0, 0, 0, 0, 0, n} }
	for _, tt := range []struct {
		name string
		a, b []byte
		same bool
	}{
		{"order", bare, encodeExpr("lookup", sreg, set), true},
		{"set id", bare, encodeExpr("lookup", set, sreg, []byte{unix.NFTA_LOOKUP_SET_ID, 0, 0, 0, 9}), true},
		{"no flags", bare, encodeExpr("lookup", set, sreg, []byte{unix.NFTA_LOOKUP_FLAGS, 0, 0, 0, 0}), true},
		{"inversion", bare, encodeExpr("lookup", set, sreg, []byte{unix.NFTA_LOOKUP_FLAGS, 0, 0, 0, 1}), false},
		{"verdict map", bare, encodeExpr("lookup", set, sreg, []byte{unix.NFTA_LOOKUP_DREG, 0, 0, 0, 0}), false},
		{"counts", encodeExpr("counter", packets(1)), encodeExpr("counter", packets(2)), true},
		{"unknown, same", encodeExpr("new", sreg), encodeExpr("new", sreg), true},
		{"unknown, other content", encodeExpr("new", sreg), encodeExpr("new", set), false},
		{"other name", encodeExpr("meta", sreg), encodeExpr("ct", sreg), false},
		{"more", bare, append(bytes.Clone(bare), bare...), false},
	} {
		a, errA := Canon(tt.a)
		b, errB := Canon(tt.b)
		if errA != nil || errB != nil || bytes.Equal(a, b) != tt.same {
			t.Errorf("%s: equal %t, want %t (%v, %v)", tt.name, !tt.same, tt.same, errA, errB)
		}
	}
}

func TestCanonRefusesEndlessNesting(t *testing.T) {
	list := encodeExpr("counter")
	for range 20 {
		list = encodeExpr("dynset", append([]byte{nftaDynsetExpressions}, list...))
	}
	if _, err := Canon(list); err == nil {
		t.Error("accepted")
	}
}

func TestComments(t *testing.T) {
	for comment, address := range map[string]string{
		"policy.web.connection_limit 0a1b2c3d": "policy.web.connection_limit",
		"list.bad v4.net 1000 abcdef":          "list.bad",
		"management 01234567":                  "management", "pipeline 01234567": "pipeline",
		"ssh from the office": "", "policy. x": "", "": "", "policies.web": "",
	} {
		data, err := commentData(comment)
		if err != nil {
			t.Fatal(err)
		}
		if got := decodeComment(data); got != comment {
			t.Errorf("%q came back as %q", comment, got)
		}
		if got := addressOf(comment); got != address {
			t.Errorf("%q: address %q, want %q", comment, got, address)
		}
	}
	if got := decodeComment([]byte{9, 1, 0, 0, 2, 'x', 0}); got != "x" {
		t.Errorf("a comment behind other data: %q", got)
	}
	for _, bad := range []string{string(make([]byte, 3)), string(bytes.Repeat([]byte("x"), maxComment+1))} {
		if _, err := commentData(bad); err == nil {
			t.Errorf("took a comment of %d bytes", len(bad))
		}
	}
}

func TestKeySpecs(t *testing.T) {
	for _, key := range [][]enforcer.KeyType{
		{enforcer.KeyIPv4}, {enforcer.KeyPort}, {enforcer.KeyIfname, enforcer.KeyIPv6, enforcer.KeyPort},
		{enforcer.KeyL4Proto, enforcer.KeyIfname, enforcer.KeyIPv4, enforcer.KeyPort},
	} {
		magic, length, err := keySpec(key)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := keyTypes(magic, length); !ok || !reflect.DeepEqual(got, key) {
			t.Errorf("%v came back as %v, %t", key, got, ok)
		}
		if _, ok := keyTypes(magic, length+1); ok {
			t.Errorf("%v: took a wrong length", key)
		}
	}
	if _, ok := keyTypes(19, 4); ok {
		t.Error("took a key of marks for one of ours")
	}
}

// The kernel's answer is told apart by generation only when it was lost.
func TestGenerationWrapsAroundZero(t *testing.T) {
	if got := nextGeneration(^uint32(0)); got != 1 {
		t.Errorf("after the last comes %d, want 1", got)
	}
}

// A message's sequence number leads to its step, also where the numbers wrap around.
func TestStepsOfSequenceNumbers(t *testing.T) {
	set := enforcer.Set{Name: "s", Key: []enforcer.KeyType{enforcer.KeyIPv4}}
	tx := &enforcer.Transaction{Ops: []enforcer.Op{
		{Verb: enforcer.Add, Table: true},
		{Verb: enforcer.Add, InSet: &set, Members: &addrset.Part{}},
		{Verb: enforcer.Add, InSet: &set, Members: &addrset.Part{Addrs4: make([]uint32, 10000)}},
		{Verb: enforcer.Add, Chain: &enforcer.Chain{Name: "c"}},
	}}
	for _, first := range []uint32{1, ^uint32(0) - 2} {
		b, err := encodeBatch(tx, 1, first)
		if err != nil {
			t.Fatal(err)
		}
		if b.wire.n != len(b.wire.buf) {
			t.Errorf("filled %d bytes of %d", b.wire.n, len(b.wire.buf))
		}
		for i, want := range []int{-1, 0, 2, 2, 2, 3, -1} {
			step, ok := b.stepOf(first + uint32(i))
			if ok != (want >= 0) || ok && step != want {
				t.Errorf("message %d belongs to step %d, %t; want %d", i, step, ok, want)
			}
		}
		if b.lastSeq() != first+5 {
			t.Errorf("last answer at %d", b.lastSeq()-first)
		}
	}
}

// Features are told from missing objects by the expression that the kernel points at.
func TestFeaturesByExpression(t *testing.T) {
	meter := func(inner string) []byte {
		x := encodeExpr(inner)
		_, body := expressionAt(encodeExpr("dynset", append([]byte{unix.NFTA_DYNSET_SET_NAME}, "m\x00"...),
			append([]byte{unix.NFTA_DYNSET_EXPR}, x[unix.NLA_HDRLEN:]...)), 0)
		return body
	}
	for _, tt := range []struct {
		name        string
		body        []byte
		unsupported bool
		setExists   bool
		want        string
	}{
		{name: "fib", want: "the kernel has no route lookups in rules (nft_fib_inet) (Linux 4.10 or later, with the module built)"},
		{name: "reject", want: "the kernel has no reject in the inet family (nft_reject_inet) (Linux 3.14 or later, with the module built)"},
		{name: "dynset", body: meter("connlimit"), setExists: true, want: "the kernel has no connection limits in sets (nft_connlimit) (Linux 4.18 or later, with the module built)"},
		{name: "dynset", body: meter("connlimit")},
		{name: "dynset", body: meter("limit"), unsupported: true, want: "the kernel has no limits in sets (nft_dynset with limit) (Linux 4.3 or later, with the module built)"},
		{name: "lookup"}, {name: "objref"}, {name: "immediate"}, {name: ""},
	} {
		got := expressionFeature(tt.name, tt.body, tt.unsupported, func(string) bool { return tt.setExists })
		if (got == nil) != (tt.want == "") || got != nil && got.Error() != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, got, tt.want)
		}
	}
}

func seed(f *testing.F) {
	rs := &enforcer.Ruleset{Chains: []enforcer.Chain{{Rules: []enforcer.Rule{{Statements: []enforcer.Statement{
		enforcer.MatchSYN{}, enforcer.MatchSet{Fields: []enforcer.Field{{Name: enforcer.IPSaddr, Prefix: 20}}, Set: "a4"},
		enforcer.Meter{Set: "m", Field: enforcer.Field{Name: enforcer.IPSaddr}, ConnectionsOver: 3}, enforcer.ResetTCP{}}}}}}}
	if err := Normalize(rs); err != nil {
		f.Fatal(err)
	}
	f.Add(rs.Chains[0].Rules[0].Wire)
	f.Add([]byte{4, 0, 1, 0x80, 3, 0, 0, 0})
	set := enforcer.Set{Name: "s", Key: []enforcer.KeyType{enforcer.KeyPort}, Interval: true, Verdicts: true}
	b, err := encodeBatch(&enforcer.Transaction{Ops: []enforcer.Op{{Verb: enforcer.Add, Set: &set}, {Verb: enforcer.Add, InSet: &set,
		Elements: []enforcer.Element{{Key: []byte{0, 80}, KeyEnd: []byte{0, 90}, Verdict: &enforcer.Verdict{Kind: enforcer.Drop}}}}}}, 1, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.wire.buf)
	_ = eachMessage(b.wire.buf, func(m message) error {
		f.Add(m.body[4:])
		return nil
	})
}

// No bytes from the socket make the decoders panic, and what they take is the same when taken again.
func FuzzDecode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = eachMessage(b, func(m message) error {
			_, _ = extendedAck(m)
			return doneError(m.body)
		})
		decodeComment(b)
		if wire, err := resendable(b); err == nil {
			first, errFirst := Canon(b)
			second, errSecond := Canon(wire)
			if (errFirst == nil) != (errSecond == nil) || !bytes.Equal(first, second) {
				t.Errorf("resendable changed the meaning of %x: %v, %v", b, errFirst, errSecond)
			}
		}
		expressionAt(b, len(b)/2)
		fields, err := parseFields(b)
		if err != nil {
			return
		}
		_, _ = decodeChain(fields)
		_, _ = decodeRule(fields)
		set, _ := decodeSet(fields)
		if len(set.Key) == 0 {
			set.Key = []enforcer.KeyType{enforcer.KeyPort}
		}
		var d elementDump
		if d.message(b) == nil {
			d.elements(&set)
		}
		var w wire
		_ = w.rawSet(b)
	})
}
