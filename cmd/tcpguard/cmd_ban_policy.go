package main

import (
	"fmt"

	"github.com/tcpguard/tcpguard/internal/bans"
	"github.com/tcpguard/tcpguard/policy"
)

// banPolicies reads the policies for what they say of bans. Warnings are for plan and apply to tell.
func (a *app) banPolicies() (*policy.Bundle, error) {
	bundle, diags, err := a.read()
	if err != nil {
		return nil, err
	}
	if mistakes := diags.Errors(); len(mistakes) > 0 {
		if err := a.view().Diagnostics(mistakes); err != nil {
			return nil, err
		}
		return nil, a.judge(mistakes)
	}
	return bundle, nil
}

// quietPolicies is banPolicies for those who can do without: nil when the policies cannot be read.
func (a *app) quietPolicies() *policy.Bundle {
	bundle, diags, err := a.read()
	if err != nil || diags.HasErrors() {
		return nil
	}
	return bundle
}

// quietPoliciesIf spares the reading where mistakes have to be told anyway.
func (a *app) quietPoliciesIf(force bool) *policy.Bundle {
	if !force {
		return nil
	}
	return a.quietPolicies()
}

// policyBan finds the ban block of the policy that --in names.
func policyBan(bundle *policy.Bundle, place bans.Place) (bans.Grouping, error) {
	var names []string
	for i := range bundle.Policies {
		p := &bundle.Policies[i]
		names = append(names, p.Name)
		switch {
		case p.Name != place.Policy:
		case p.Ban == nil:
			return bans.Grouping{}, &problem{
				code: exitError, err: fmt.Errorf("%s (%s) has no ban block, so it has no place for bans", place, p.Range),
				hint: "add one and apply, or leave --in away to ban for the whole host",
			}
		default:
			return bans.Grouping{IPv4: p.Ban.IPv4Prefix, IPv6: p.Ban.IPv6Prefix}, nil
		}
	}
	return bans.Grouping{}, usage(suggestion(place.Policy, names), "--in: there is no policy %q", place.Policy)
}

// groupings tells how policies count sources, reading them when the first is asked for.
func (a *app) groupings() func(bans.Place) (bans.Grouping, bool) {
	var bundle *policy.Bundle
	read := false
	return func(place bans.Place) (bans.Grouping, bool) {
		if !read {
			bundle, read = a.quietPolicies(), true
		}
		if bundle == nil {
			return bans.Grouping{}, false
		}
		g, err := policyBan(bundle, place)
		return g, err == nil
	}
}

// groupNote tells that a policy bans more than the address that was named.
func groupNote(place bans.Place, g bans.Grouping, before, after []bans.Entry) []string {
	for i := range before {
		if before[i].Span != after[i].Span {
			return []string{fmt.Sprintf("%s counts each IPv4 /%d and each IPv6 /%d as one source: whole groups are banned", place, g.IPv4, g.IPv6)}
		}
	}
	return nil
}
