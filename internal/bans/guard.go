package bans

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// Guard knows whom a ban should never hit.
type Guard struct{ protected []protection }

// protection is a set of addresses and what one of them is called.
type protection struct {
	addresses *addrset.Set
	called    string // "a management source (web.hcl:3)"
}

// ProtectedError says that bans would hit somebody who must not be banned. Nothing was changed.
type ProtectedError struct{ Hits []Hit }

// Hit is one source and why it must not be banned.
type Hit struct {
	Span
	Why string // "is a loopback address", "has a management source (web.hcl:3)"
}

func (e *ProtectedError) Error() string {
	return "refused: " + e.Who() + "; nothing was changed"
}

// Who tells whom the bans would hit and why that must not be.
func (e *ProtectedError) Who() string {
	return someOf(e.Hits, func(h Hit) string { return h.Span.String() + " " + h.Why })
}

// NewGuard protects loopback, the peers of the sessions that ask, and, with a policy, its management sources and the
// sources that some policy allows.
func NewGuard(bundle *policy.Bundle, peers []netip.Addr) *Guard {
	g := &Guard{}
	g.protect("a loopback address", netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	for _, peer := range peers {
		g.protect("the address that this session comes from", netip.PrefixFrom(peer, peer.BitLen()))
	}
	if bundle == nil {
		return g
	}
	if m := bundle.Management; len(m.Sources) > 0 {
		g.protect("a management source"+place(m.Range), m.Sources...)
	}
	for i := range bundle.Policies {
		p := &bundle.Policies[i]
		for _, name := range p.Allow {
			j := slices.IndexFunc(bundle.Lists, func(l policy.List) bool { return l.Name == name })
			if j < 0 {
				continue
			}
			list := &bundle.Lists[j]
			called := fmt.Sprintf("an address of %s, which policy.%s allows%s", list.Address(), p.Name, place(p.AllowRange))
			if list.Anonymous {
				called = fmt.Sprintf("an address that policy.%s allows%s", p.Name, place(p.AllowRange))
			}
			g.protected = append(g.protected, protection{list.Addresses, called})
		}
	}
	return g
}

func (g *Guard) protect(called string, prefixes ...netip.Prefix) {
	var b addrset.Builder
	for _, p := range prefixes {
		// Only masked prefixes come here; one that is refused protects nobody, which a test would show.
		_ = b.AddPrefix(p.Masked())
	}
	g.protected = append(g.protected, protection{b.Build(), called})
}

func place(r policy.Range) string {
	if text := r.String(); text != "" {
		return " (" + text + ")"
	}
	return ""
}

// Check gives a *ProtectedError when an entry would hit somebody protected.
func (g *Guard) Check(entries []Entry) error {
	var hits []Hit
	for _, e := range entries {
		for _, p := range g.protected {
			if !e.hits(p.addresses) {
				continue
			}
			verb := "is "
			if !e.Single() {
				verb = "has "
			}
			hits = append(hits, Hit{e.Span, verb + p.called})
			break
		}
	}
	if len(hits) > 0 {
		return &ProtectedError{hits}
	}
	return nil
}

// hits says whether the span has an address of the set.
func (s Span) hits(set *addrset.Set) bool {
	if p, ok := s.Prefix(); ok {
		return set.Overlaps(p)
	}
	var b addrset.Builder
	_ = b.AddRange(s.First, s.Last) // a span is a range that the builder takes
	return set.OverlapsSet(b.Build())
}
