package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Lists are made from fixed seeds: every run measures the same content.
const seed = 20260101

// addresses gives n different single IPv4 addresses, sorted, no two of them neighbours, so that none merge into a
// range. more gives the next n, all different from these.
func addresses(n int) (first []uint32, more func(int) []uint32) {
	random := rand.New(rand.NewPCG(seed, 1))
	taken := make(map[uint32]bool, n+n/8)
	draw := func(n int) []uint32 {
		out := make([]uint32, 0, n)
		for len(out) < n {
			// 1.0.0.0 to 126.255.255.255, even: an odd address always stands between two.
			a := 1<<24 + random.Uint32N(126<<24)&^1
			if !taken[a] {
				taken[a] = true
				out = append(out, a)
			}
		}
		slices.Sort(out)
		return out
	}
	return draw(n), draw
}

// prefixes gives n different IPv4 prefixes of /24 to /29, none of which touch.
func prefixes(n int) []string {
	random := rand.New(rand.NewPCG(seed, 2))
	out := make([]string, n)
	for i := range out {
		// One prefix in every second /24, the first half of its room.
		base := uint32(1<<24) + uint32(i)<<9
		out[i] = fmt.Sprintf("%s/%d", v4(base), 24+random.IntN(6))
	}
	return out
}

func v4(a uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
}

func texts(addresses []uint32) []string {
	out := make([]string, len(addresses))
	for i, a := range addresses {
		out[i] = v4(a).String()
	}
	return out
}

// writeList writes a list file with one entry a line.
func (b *bench) writeList(folder string, entries []string) {
	file, err := os.Create(filepath.Join(folder, "list.txt"))
	if err != nil {
		b.Fatalf("write a list: %v", err)
	}
	out := bufio.NewWriterSize(file, 1<<20)
	for _, e := range entries {
		fmt.Fprintln(out, e)
	}
	if err := out.Flush(); err != nil {
		b.Fatalf("write a list: %v", err)
	}
	if err := file.Close(); err != nil {
		b.Fatalf("write a list: %v", err)
	}
}

// listPolicy denies the sources of list.txt.
const listPolicy = `
list "blocklist" { file = "list.txt" }

policy "web" {
  ports = [80, 443]
  deny  = [list.blocklist]
  connection_limit { max = 100 }
  rate_limit { rate = "20/s" }
}
`

// Guarded ports are every second one from firstPort on, so that no two of them merge into a range.
const firstPort, portStep = 10000, 2

// manyPolicies guards ports with n policies, each with both limits and an equal share of the ports.
func manyPolicies(n, ports int) string {
	var text strings.Builder
	for i := range n {
		var share []string
		for p := i; p < ports; p += n {
			share = append(share, fmt.Sprint(firstPort+portStep*p))
		}
		fmt.Fprintf(&text, `
policy "service-%d" {
  ports = [%s]
  connection_limit { max = 100 }
  rate_limit { rate = "1000000/s" }
}
`, i, strings.Join(share, ", "))
	}
	return text.String()
}

// policyFolder makes a folder with one policy file.
func (b *bench) policyFolder(text string) string {
	folder, err := os.MkdirTemp(b.folder, "policies-")
	if err != nil {
		b.Fatalf("make a folder for policies: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "policy.hcl"), []byte(text), 0o600); err != nil {
		b.Fatalf("write a policy: %v", err)
	}
	return folder
}
