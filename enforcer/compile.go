package enforcer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// Priorities of our base chains. Deny lists work before conntrack (-200) and before the raw table (-300), where a
// dropped packet costs least. Limits stand just before the filter priority (0), so that what they refuse never reaches
// another firewall's rules; what they pass on still does.
const (
	priorityPrerouting = -310
	priorityLimits     = -10
)

// layout is the version of the rules' arrangement. A release that arranges them otherwise raises it, and a plan shows
// the change as one of the pipeline and not as drift.
const layout = "1"

// CompileError is a declaration that is valid in the language and that the kernel cannot hold exactly.
type CompileError struct {
	Address string
	Reason  string
	Range   policy.Range
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Range, e.Address, e.Reason)
}

// Compile gives the nft table that holds what the bundle declares. It is pure: equal bundles give equal rulesets. The
// only error is a *CompileError.
func Compile(b *policy.Bundle) (*Ruleset, error) {
	c := &compiler{
		bundle: b, out: &Ruleset{}, lists: map[string]*policy.List{}, hashes: map[string]string{},
		dispatch: map[string]*Set{}, used: map[string]bool{}, proxied: map[Hook]bool{},
	}
	for i := range b.Lists {
		c.lists[b.Lists[i].Name] = &b.Lists[i]
	}
	for i := range b.Policies {
		if err := c.policy(&b.Policies[i]); err != nil {
			return nil, err
		}
	}
	c.baseChains()
	return c.finish(), nil
}

// compiler collects the objects of a ruleset.
type compiler struct {
	bundle   *policy.Bundle
	out      *Ruleset
	lists    map[string]*policy.List
	hashes   map[string]string // resource address -> hash of its attributes
	dispatch map[string]*Set   // verdict maps by name
	used     map[string]bool   // lists whose sets are declared
	loopback map[Hook]bool     // hooks where a policy names lo
	proxied  map[Hook]bool     // hooks where a synproxy stands before some service
}

// resource declares what the following objects belong to.
func (c *compiler) resource(address string, at policy.Range, attributes ...Attribute) {
	r := Resource{Address: address, Attributes: attributes, Range: at}
	c.out.Resources = append(c.out.Resources, r)
	c.hashes[address] = r.Hash()
}

// Hash is eight hex digits that change whenever the address or one of the attributes does. Rule comments carry it, so
// that the kernel itself tells which declaration a rule was made from.
func (r Resource) Hash() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Address)
	for _, a := range r.Attributes {
		fmt.Fprintf(&b, "%s=%s\n", a.Name, a.Value)
	}
	return shortHash(b.String())
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// rule makes a rule that belongs to address.
func (c *compiler) rule(address string, statements ...Statement) Rule {
	return Rule{Address: address, Comment: address + " " + c.hashes[address], Statements: statements}
}

func (c *compiler) chain(name, address string, rules []Rule) {
	c.out.Chains = append(c.out.Chains, Chain{Name: name, Address: address, Rules: rules})
}

func (c *compiler) counter(name, address string) Count {
	c.out.Counters = append(c.out.Counters, Counter{Name: name, Address: address})
	return Count{Counter: name}
}

// finish puts everything in the order of the normal form.
func (c *compiler) finish() *Ruleset {
	r := c.out
	for _, m := range c.dispatch {
		slices.SortFunc(m.Elements, compareElements)
		r.Sets = append(r.Sets, *m)
	}
	slices.SortFunc(r.Counters, func(a, b Counter) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Sets, func(a, b Set) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Chains, func(a, b Chain) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Resources, func(a, b Resource) int { return strings.Compare(a.Address, b.Address) })
	r.Exists = len(r.Chains) > 0
	return r
}
