package addrset

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// sizes are a decade and a factor of four apart, so that a cost that grows faster than the input shows.
var sizes = []int{100_000, 1_000_000, 4_000_000}

// listText is a list of n addresses in random order, with duplicates as random numbers have them.
func listText(n int, line func(*rand.Rand) string) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for range n {
		b.WriteString(line(rng))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func randomIPv4(rng *rand.Rand) string { return Addr4(rng.Uint32()).String() }

func randomIPv6(rng *rand.Rand) string {
	return Addr6{0x2001_0db8<<32 | uint64(rng.Uint32()), rng.Uint64()}.Addr().String()
}

func randomPrefix(rng *rand.Rand) string {
	return fmt.Sprintf("%s/24", Addr4(rng.Uint32()&^255))
}

func BenchmarkParse(b *testing.B) {
	shapes := []struct {
		name string
		line func(*rand.Rand) string
	}{
		{"ipv4", randomIPv4}, {"ipv6", randomIPv6}, {"prefix", randomPrefix},
	}
	for _, shape := range shapes {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", shape.name, n), func(b *testing.B) {
				text := listText(n, shape.line)
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Parse(bytes.NewReader(text), Limits{}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
			})
		}
	}
}

func benchPart(b *testing.B, n int) Part {
	b.Helper()
	s, err := Parse(bytes.NewReader(listText(n, randomIPv4)), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	return s.Part(Addrs4)
}

func BenchmarkDigest(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := benchPart(b, n)
			b.ReportAllocs()
			for b.Loop() {
				p.Digest()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
		})
	}
}

func BenchmarkDiff(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			old := benchPart(b, n)
			changed := Part{Kind: Addrs4}
			for i, v := range old.Addrs4 {
				if i%1000 != 0 {
					changed.Addrs4 = append(changed.Addrs4, v)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if add, del := DiffParts(old, changed); add.Len() != 0 || del.Len() == 0 {
					b.Fatal("wrong difference")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
		})
	}
}

func BenchmarkStore(b *testing.B) {
	p := benchPart(b, 1_000_000)
	var stored bytes.Buffer
	if _, err := p.WriteTo(&stored); err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadPart(bytes.NewReader(stored.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
	})
}
