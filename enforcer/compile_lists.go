package enforcer

import (
	"fmt"
	"math/bits"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

// Suffixes of a list's kernel sets. Single addresses go to a hash set, ranges to an interval set: a hash costs less to
// look up and far less to change.
var partSuffix = [addrset.NumKinds]string{
	addrset.Addrs4: "v4", addrset.Ranges4: "v4.net", addrset.Addrs6: "v6", addrset.Ranges6: "v6.net",
}

// partName is how a plan names a list's parts; their values are the number of entries and the start of their digest.
var partName = [addrset.NumKinds]string{
	addrset.Addrs4: "ipv4_addresses", addrset.Ranges4: "ipv4_ranges", addrset.Addrs6: "ipv6_addresses", addrset.Ranges6: "ipv6_ranges",
}

// markerPrefix names the chains that record what lists hold; nothing jumps to them.
const markerPrefix = "digest."

// listSet is one kernel set of a list and the statement that finds a source in it.
type listSet struct{ match MatchSet }

// listSets gives the kernel sets of a list, declaring them on first use.
func (c *compiler) listSets(name string) []listSet {
	list := c.lists[name]
	address := list.Address()
	if !c.used[name] {
		c.used[name] = true
		c.declareList(address, name)
	}
	var sets []listSet
	for kind := range addrset.NumKinds {
		if list.Addresses.Part(kind).Len() == 0 {
			continue
		}
		field := Field{Name: IPSaddr}
		if kind.IPv6() {
			field.Name = IP6Saddr
		}
		sets = append(sets, listSet{MatchSet{Fields: []Field{field}, Set: address + "." + partSuffix[kind]}})
	}
	return sets
}

func (c *compiler) declareList(address, name string) {
	list := c.lists[name]
	var attributes []Attribute
	var markers []string
	for kind := range addrset.NumKinds {
		part := list.Addresses.Part(kind)
		if part.Len() == 0 {
			continue
		}
		c.out.Sets = append(c.out.Sets, Set{
			Name: address + "." + partSuffix[kind], Address: address, Key: []KeyType{partKey(kind)},
			Interval: kind.Ranges(),
			Size:     partRoom(part), Members: &part,
		})
		digest := part.Digest()
		attributes = append(attributes, Attribute{Name: partName[kind], Value: fmt.Sprintf("%d (%s)", part.Len(), digest[:8])})
		markers = append(markers, fmt.Sprintf("%s %s %d %s", address, partSuffix[kind], part.Len(), digest))
	}
	if !list.Anonymous {
		c.resource(address, list.Range, attributes...)
	}
	var rules []Rule
	for _, m := range markers {
		rules = append(rules, Rule{Address: address, Comment: m, Statements: []Statement{Verdict{Kind: Return}}})
	}
	c.chain(markerPrefix+address, address, rules)
}

func partKey(k addrset.Kind) KeyType {
	if k.IPv6() {
		return KeyIPv6
	}
	return KeyIPv4
}

// partRoom is the declared size of a part's set. The kernel keeps a range as two elements, and before Linux 6.16 it
// counts both against the size.
func partRoom(p addrset.Part) uint32 {
	if p.Kind.Ranges() {
		return roomFor(2 * p.Len())
	}
	return roomFor(p.Len())
}

// roomFor is the declared size of a list's set: the next power of two that leaves a quarter free, so that a growing
// list is changed in place for long. Declaring a size lets the kernel choose a fixed hash table, which halves the time
// of a large insert.
func roomFor(n int) uint32 {
	want := max(n+n/4, 256)
	return uint32(1) << bits.Len32(uint32(want-1))
}

// contentHash is eight hex digits over all four parts of a list.
func contentHash(s *addrset.Set) string {
	var digests string
	for kind := range addrset.NumKinds {
		digests += s.Part(kind).Digest()
	}
	return shortHash(digests)
}
