package status

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
)

// shadowPrefix6 is how many bits of an IPv6 address shadow sets keep (enforcer.Compile).
const shadowPrefix6 = 64

// top picks the n sources with the most packets. What it is given is in no order.
func top(elements []nft.CountedElement, n int) []Source {
	slices.SortFunc(elements, func(a, b nft.CountedElement) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), a.Addr.Compare(b.Addr))
	})
	sources := make([]Source, 0, min(n, len(elements)))
	for _, e := range elements[:min(n, len(elements))] {
		s := Source{Name: e.Addr.String(), Traffic: Traffic{e.Packets, e.Bytes}, Expires: e.Left, LastSeen: max(e.Timeout-e.Left, 0)}
		if e.Addr.Is6() {
			s.Name = netip.PrefixFrom(e.Addr, shadowPrefix6).String()
		}
		sources = append(sources, s)
	}
	return sources
}

// shadows adds to each policy whom it would have refused.
func shadows(k Kernel, all []Policy, live *nft.Live, n int) error {
	sets := map[string]*enforcer.Set{}
	for i := range live.Sets {
		sets[live.Sets[i].Name] = &live.Sets[i]
	}
	for i := range all {
		p := &all[i]
		var elements []nft.CountedElement
		for _, t := range p.Tables {
			if t.Name != tableShadow {
				continue
			}
			found, err := k.CountedElements(sets[t.Set])
			if err != nil {
				return err
			}
			elements = append(elements, found...)
		}
		p.Shadow = Shadow{Sources: len(elements), Top: top(elements, n)}
	}
	return nil
}
