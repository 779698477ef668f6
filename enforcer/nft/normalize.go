package nft

import (
	"bytes"
	"fmt"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// Normalize gives every rule that has Statements the bytes to send (Wire) and to compare (Canon), and brings the
// elements of small sets into the form that Read gives them: sorted by key, and without a KeyEnd equal to the key. It
// needs no kernel. An error names the rule's address and chain.
func Normalize(rs *enforcer.Ruleset) error {
	for i := range rs.Chains {
		chain := &rs.Chains[i]
		for j := range chain.Rules {
			rule := &chain.Rules[j]
			if len(rule.Statements) == 0 {
				continue
			}
			if err := normalizeRule(rule); err != nil {
				return fmt.Errorf("encode %s: chain %s, rule %d: %w", rule.Address, chain.Name, j+1, err)
			}
		}
	}
	for i := range rs.Sets {
		normalizeElements(rs.Sets[i].Elements)
	}
	return nil
}

func normalizeRule(r *enforcer.Rule) (err error) {
	if _, err := commentData(r.Comment); err != nil {
		return err
	}
	if r.Wire, err = encodeStatements(r.Statements); err != nil {
		return err
	}
	r.Canon, err = Canon(r.Wire)
	return err
}

// encodeStatements gives the payload of an NFTA_RULE_EXPRESSIONS.
func encodeStatements(statements []enforcer.Statement) ([]byte, error) {
	var e ruleEncoder
	for _, s := range statements {
		if err := e.statement(s); err != nil {
			return nil, err
		}
	}
	list := make([]netlink.Attribute, len(e.exprs))
	for i, x := range e.exprs {
		data, err := expr.Marshal(unix.NFPROTO_INET, x)
		if err != nil {
			return nil, fmt.Errorf("%T: %w", x, err)
		}
		list[i] = netlink.Attribute{Type: unix.NLA_F_NESTED | unix.NFTA_LIST_ELEM, Data: data}
	}
	wire, err := netlink.MarshalAttributes(list)
	if err == nil && len(wire) > maxNest {
		err = fmt.Errorf("a rule of %d bytes: the kernel takes %d", len(wire), maxNest)
	}
	return wire, err
}

func normalizeElements(elements []enforcer.Element) {
	for i := range elements {
		if e := &elements[i]; bytes.Equal(e.KeyEnd, e.Key) {
			e.KeyEnd = nil
		}
	}
	sortElements(elements)
}
