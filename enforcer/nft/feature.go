package nft

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// missingFeature finds out whether a step failed because this kernel lacks something, rather than because of what is
// in the ruleset. nf_tables says ENOENT for an expression whose module is missing as well as for a set, a chain or an
// object that is not there; only the attribute that it points at tells them apart.
func (c *Conn) missingFeature(b *batch, e *OpError) *FeatureError {
	if e.Errno != unix.ENOENT && e.Errno != unix.EOPNOTSUPP {
		return nil
	}
	op := &e.Op
	switch {
	case op.Verb != enforcer.Add:
		return nil
	case op.Rule != nil:
		name, body := expressionAt(op.Rule.Wire, e.Offset-expressionsAt(op))
		return expressionFeature(name, body, e.Errno == unix.EOPNOTSUPP, func(set string) bool {
			return adds(b.tx, set) || c.setExists(set)
		})
	case e.Errno == unix.ENOENT:
		return nil
	case op.Set != nil && shapeOf(op.Set) == twoKeys:
		return &FeatureError{Feature: "sets of concatenated ranges", MinKernel: "5.6"}
	case op.Set != nil:
		return &FeatureError{Feature: "sets of this kind (nf_tables set backend)", MinKernel: "4.1"}
	case op.Chain != nil && op.Chain.Hook != enforcer.NoHook:
		return &FeatureError{Feature: "filter chains of the inet family (nf_tables_inet)", MinKernel: "3.14"}
	case op.Counter != nil:
		return &FeatureError{Feature: "named counters", MinKernel: "4.10"}
	}
	return nil
}

// adds says whether a transaction makes the set.
func adds(tx *enforcer.Transaction, set string) bool {
	return slices.ContainsFunc(tx.Ops, func(op enforcer.Op) bool {
		return op.Verb == enforcer.Add && op.Set != nil && op.Set.Name == set
	})
}

// expressionFeature names what is missing when the kernel refuses a rule at an expression.
func expressionFeature(name string, body []byte, unsupported bool, setExists func(string) bool) *FeatureError {
	switch name {
	case "", "objref", "immediate":
		return nil // an object or a chain that is not there
	case "lookup":
		return nil
	case "dynset":
		f, err := parseFields(body)
		inner := ""
		if err == nil && f.have[unix.NFTA_DYNSET_EXPR] {
			if x, err := parseFields(f.data[unix.NFTA_DYNSET_EXPR]); err == nil {
				inner = x.str(unix.NFTA_EXPR_NAME)
			}
		}
		switch {
		case !unsupported && (err != nil || !setExists(f.str(unix.NFTA_DYNSET_SET_NAME))):
			return nil
		case inner == "connlimit":
			return &FeatureError{Feature: "connection limits in sets (nft_connlimit)", MinKernel: "4.18"}
		}
		return &FeatureError{Feature: "limits in sets (nft_dynset with " + inner + ")", MinKernel: "4.3"}
	case "connlimit":
		return &FeatureError{Feature: "connection limits (nft_connlimit)", MinKernel: "4.18"}
	case "fib":
		return &FeatureError{Feature: "route lookups in rules (nft_fib_inet)", MinKernel: "4.10"}
	case "reject":
		return &FeatureError{Feature: "reject in the inet family (nft_reject_inet)", MinKernel: "3.14"}
	case "ct":
		return &FeatureError{Feature: "connection tracking in rules (nft_ct)", MinKernel: "3.14"}
	case "limit":
		return &FeatureError{Feature: "rate limits (nft_limit)", MinKernel: "4.3"}
	}
	return &FeatureError{Feature: `expression "` + name + `"`}
}

// expressionsAt is where a rule message's expressions begin: behind the headers and the names of table and chain.
func expressionsAt(op *enforcer.Op) int {
	var w wire
	w.message(header{})
	w.table()
	w.str(unix.NFTA_RULE_CHAIN, op.InChain)
	w.nest(unix.NFTA_RULE_EXPRESSIONS)
	return w.n
}

// expressionAt gives name and content of the expression that begins at the offset of a rule's expressions, "" when
// none does.
func expressionAt(wire []byte, offset int) (name string, body []byte) {
	if offset < 0 || offset+unix.NLA_HDRLEN > len(wire) {
		return "", nil
	}
	size := int(binary.NativeEndian.Uint16(wire[offset:]))
	if size < unix.NLA_HDRLEN || offset+size > len(wire) {
		return "", nil
	}
	f, err := parseFields(wire[offset+unix.NLA_HDRLEN : offset+size])
	if err != nil {
		return "", nil
	}
	return f.str(unix.NFTA_EXPR_NAME), f.data[unix.NFTA_EXPR_DATA]
}
