package addrset

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// universe is a corner of each address space, small enough to list every address of it, at each end of the space.
var universe = func() []netip.Addr {
	var all []netip.Addr
	for _, base := range []string{"0.0.0.0", "255.255.255.224", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffe0", "2001:db8::ffff:ffff:ffff:fff0"} {
		a := netip.MustParseAddr(base)
		for range 32 {
			all = append(all, a)
			a = a.Next()
		}
	}
	return all
}()

// pick gives two addresses of the same corner, in order.
func pick(rng *rand.Rand) (first, last netip.Addr) {
	corner := rng.IntN(len(universe)/32) * 32
	i, j := rng.IntN(32), rng.IntN(8)
	return universe[corner+i], universe[corner+min(i+j, 31)]
}

// model is the naive set: every address by itself.
type model map[netip.Addr]bool

func (m model) addRange(first, last netip.Addr) {
	for a := first; ; a = a.Next() {
		m[a] = true
		if a == last {
			return
		}
	}
}

// randomSet builds the same random entries as a Set and as a model.
func randomSet(t *testing.T, rng *rand.Rand) (*Set, model) {
	t.Helper()
	var b Builder
	m := model{}
	for range rng.IntN(24) {
		first, last := pick(rng)
		var err error
		switch rng.IntN(3) {
		case 0:
			last = first
			err = b.AddAddr(first)
		case 1:
			err = b.AddRange(first, last)
		default:
			p := netip.PrefixFrom(first, first.BitLen()-rng.IntN(4)).Masked()
			span, _ := spanOf(p)
			part := Part{Kind: Addrs4}
			if first.Is6() {
				part.Kind = Addrs6
			}
			first, last = part.addr(span.Lo), part.addr(span.Hi)
			err = b.AddPrefix(p)
		}
		if err != nil {
			t.Fatal(err)
		}
		m.addRange(first, last)
	}
	return b.Build(), m
}

// checkNormal fails unless every part is in normal form.
func checkNormal(t *testing.T, s *Set) {
	t.Helper()
	for k := range NumKinds {
		p := s.Part(k)
		q := Part{Kind: k}
		for i := range p.Len() {
			if err := q.pushOrdered(p.at(i)); err != nil {
				t.Fatalf("%s: %v", k, err)
			}
			if first, last := p.Bounds(i); first.Is6() != k.IPv6() || (first != last) != k.Ranges() {
				t.Fatalf("%s-%s in the part %s", first, last, k)
			}
		}
	}
	for first := range s.Part(Addrs4).All() {
		if p := s.part(Ranges4); p.search(wide(value4(first))) < p.len() && !wide(value4(first)).Less(p.at(p.search(wide(value4(first)))).Lo) {
			t.Fatalf("%s stands alone and in a range", first)
		}
	}
}

func TestSetBehavesLikeEveryAddressListed(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		s, m := randomSet(t, rng)
		checkNormal(t, s)
		listed := model{}
		for first, last := range s.All() {
			listed.addRange(first, last)
		}
		if len(listed) != len(m) {
			t.Fatalf("seed %d: All lists %d addresses, want %d", seed, len(listed), len(m))
		}
		covered := 0
		for p := range s.Prefixes() {
			span, _ := spanOf(p)
			covered += int(span.Hi.Lo - span.Lo.Lo + 1)
		}
		if covered != len(m) {
			t.Fatalf("seed %d: Prefixes cover %d addresses, want %d", seed, covered, len(m))
		}
		for _, a := range universe {
			if s.Contains(a) != m[a] || listed[a] != m[a] {
				t.Fatalf("seed %d: Contains(%s) = %v, listed %v, want %v", seed, a, s.Contains(a), listed[a], m[a])
			}
			checkPrefixQueries(t, s, m, netip.PrefixFrom(a, a.BitLen()-rng.IntN(5)).Masked())
		}
	}
}

func checkPrefixQueries(t *testing.T, s *Set, m model, p netip.Prefix) {
	t.Helper()
	all, any := true, false
	for a := p.Addr(); p.Contains(a); a = a.Next() {
		all, any = all && m[a], any || m[a]
	}
	if s.ContainsPrefix(p) != all || s.Overlaps(p) != any {
		t.Fatalf("%s of %v: ContainsPrefix %v want %v, Overlaps %v want %v",
			p, slices.Collect(s.Texts()), s.ContainsPrefix(p), all, s.Overlaps(p), any)
	}
}

func TestSetsCompareLikeEveryAddressListed(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range uint64(5000) {
		rng := rand.New(rand.NewPCG(seed, 8))
		a, ma := randomSet(t, rng)
		b, mb := randomSet(t, rng)
		if seed%2 == 0 { // random sets seldom contain each other
			var builder Builder
			builder.AddSet(a)
			builder.AddSet(b)
			a = builder.Build()
			for addr := range mb {
				ma[addr] = true
			}
		}
		contains, overlaps := true, false
		for addr := range mb {
			contains, overlaps = contains && ma[addr], overlaps || ma[addr]
		}
		if a.ContainsSet(b) != contains || a.OverlapsSet(b) != overlaps || b.OverlapsSet(a) != overlaps {
			t.Fatalf("seed %d: %v and %v: ContainsSet want %v, OverlapsSet want %v",
				seed, slices.Collect(a.Texts()), slices.Collect(b.Texts()), contains, overlaps)
		}
		outcomes[fmt.Sprint(contains, overlaps)]++
	}
	for _, outcome := range []string{"true true", "false true", "false false"} {
		if outcomes[outcome] < 100 {
			t.Errorf("contains, overlaps = %s came up %d times only", outcome, outcomes[outcome])
		}
	}
}

func TestBuildDoesNotDependOnOrder(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var lines []string
		for range 30 {
			first, last := pick(rng)
			lines = append(lines, fmt.Sprintf("%s-%s", first, last), first.String())
		}
		want := digests(mustParse(t, strings.Join(lines, "\n")))
		rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if got := digests(mustParse(t, strings.Join(lines, "\n"))); got != want {
			t.Fatalf("seed %d: another order gives another set", seed)
		}
	}
}

func TestDiffTurnsOldIntoNew(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 10))
		oldSet, _ := randomSet(t, rng)
		newSet, _ := randomSet(t, rng)
		for k := range NumKinds {
			before, after := oldSet.Part(k), newSet.Part(k)
			add, del := DiffParts(before, after)
			state := map[Range6]bool{}
			for i := range before.Len() {
				state[before.at(i)] = true
			}
			for i := range del.Len() {
				if !state[del.at(i)] {
					t.Fatalf("seed %d: deletes %v, which is not there", seed, del.at(i))
				}
				delete(state, del.at(i))
			}
			for i := range add.Len() {
				if state[add.at(i)] {
					t.Fatalf("seed %d: adds %v, which is there", seed, add.at(i))
				}
				state[add.at(i)] = true
			}
			if len(state) != after.Len() {
				t.Fatalf("seed %d: %d elements, want %d", seed, len(state), after.Len())
			}
			for i := range after.Len() {
				if !state[after.at(i)] {
					t.Fatalf("seed %d: %v is missing", seed, after.at(i))
				}
			}
		}
	}
}

func TestSortingMatchesTheStandardLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, spread := range []uint32{1, 2, 256, 70_000, 1 << 31, 1<<32 - 1} {
		for _, n := range []int{0, 1, smallPile, smallPile + 1, 50_000} {
			v := make([]uint32, n)
			for i := range v {
				v[i] = rng.Uint32N(spread)
			}
			want := slices.Sorted(slices.Values(v))
			if sort4(v); !slices.Equal(v, want) {
				t.Errorf("%d values below %d are not sorted", n, spread)
			}
		}
	}
}

func mustParse(t testing.TB, text string) *Set {
	t.Helper()
	s, err := Parse(strings.NewReader(text), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func digests(s *Set) [NumKinds]string {
	var d [NumKinds]string
	for k := range NumKinds {
		d[k] = s.Part(k).Digest()
	}
	return d
}

func stored(t testing.TB, p Part) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := p.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("WriteTo = %d, %v; wrote %d bytes", n, err, b.Len())
	}
	return b.Bytes()
}
