package status

import (
	"net/netip"
	"slices"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/policy"
)

// Listener is a TCP listener behind a policy.
type Listener struct {
	host.Listener
	Policy string // its address: "policy.web"
}

// guarded picks the listeners that a policy guards, and says which.
func guarded(all []host.Listener, policies []Policy, bundle *policy.Bundle) []Listener {
	addresses := map[string][]netip.Prefix{}
	if bundle != nil {
		for i := range bundle.Policies {
			addresses[bundle.Policies[i].Name] = bundle.Policies[i].Addresses
		}
	}
	var found []Listener
	for _, l := range all {
		i := slices.IndexFunc(policies, func(p Policy) bool { return p.guards(l, addresses[p.Name]) })
		if i >= 0 {
			found = append(found, Listener{l, policies[i].Address()})
		}
	}
	return found
}

// guards says whether connections to the listener may meet the policy. A policy that is known from the kernel alone has
// no protocol nor path, and its ports are those of TCP on this host.
func (p *Policy) guards(l host.Listener, addresses []netip.Prefix) bool {
	switch {
	case p.Path == policy.PathForward, p.Protocol == policy.UDP, p.Mode == policy.ModeOff:
		return false
	case !slices.ContainsFunc(p.Ports, func(r policy.PortRange) bool { return r.First <= l.Port && l.Port <= r.Last }):
		return false
	case len(addresses) == 0 || l.Address.IsUnspecified():
		return true
	}
	return slices.ContainsFunc(addresses, func(a netip.Prefix) bool { return a.Contains(l.Address.Unmap()) })
}
