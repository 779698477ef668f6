package nft

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Canon gives the canonical form of a rule's expressions (an NFTA_RULE_EXPRESSIONS payload): two rules do the same
// exactly when it is equal, whoever encoded them. It is a recursive copy in which
//
//   - the attributes of an expression are sorted by type, and NLA_F_NESTED is gone, because nf_tables dumps some nests
//     with it and some without;
//   - what the kernel counts (packets, bytes, quota used, time last seen) and set ids, which only have a meaning
//     inside the batch that made the set, are left out;
//   - attributes that the kernel shows with their default, though nobody set them, are left out when they are zero.
//
// Expressions this package does not know are copied as they are: the kernel dumps the same thing the same way twice.
// It is for comparing only and cannot be sent.
func Canon(wire []byte) ([]byte, error) {
	out, err := canonList(nil, wire, 0)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	return out, nil
}

// role says what Canon does with an attribute.
type role int

const (
	asIs        role = iota
	text             // a string, with or without its terminating zero
	volatile         // left out
	defaultZero      // left out when all zero
	value            // a nest of enum nft_data_attributes
	verdict          // a nest of enum nft_verdict_attributes
	expression       // a nest of enum nft_expr_attributes
	expressions      // a list of those
)

// maxDepth bounds how deep expressions nest in expressions; the kernel allows two levels.
const maxDepth = 4

// canonList appends the canonical form of a list of expressions, in its order.
func canonList(out, list []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested too deep", errMalformed)
	}
	err := eachAttr(list, func(typ uint16, data []byte) (err error) {
		if typ != unix.NFTA_LIST_ELEM {
			return fmt.Errorf("%w: type %d in a list of expressions", errMalformed, typ)
		}
		out, err = canonExpr(out, data, depth)
		return err
	})
	return out, err
}

func canonExpr(out, b []byte, depth int) ([]byte, error) {
	// Not parseFields: its table is most of what planning a thousand policies would allocate.
	var name string
	var data []byte
	err := eachAttr(b, func(typ uint16, value []byte) error {
		switch typ {
		case unix.NFTA_EXPR_NAME:
			name = attrString(value)
		case unix.NFTA_EXPR_DATA:
			data = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, fmt.Errorf("%w: expression without a name", errMalformed)
	}
	out = appendBlock(out, []byte(name))
	roles := rolesOf(name)
	if roles == nil {
		return appendBlock(out, data), nil
	}
	body, err := canonNest(data, roles, depth)
	return appendBlock(out, body), err
}

// canonNest gives the attributes of a nest, each by its role, sorted by type.
func canonNest(b []byte, roles func(uint16) role, depth int) ([]byte, error) {
	type item struct {
		typ  uint16
		data []byte
	}
	// Thousands of rules pass here with every plan, and few nests are larger.
	var room [8]item
	items := room[:0]
	err := eachAttr(b, func(typ uint16, data []byte) (err error) {
		switch roles(typ) {
		case volatile:
			return nil
		case defaultZero:
			if len(bytes.Trim(data, "\x00")) == 0 {
				return nil
			}
		case text:
			data = []byte(attrString(data))
		case value:
			data, err = canonNest(data, valueRoles, depth)
		case verdict:
			data, err = canonNest(data, verdictRoles, depth)
		case expression:
			data, err = canonExpr(nil, data, depth+1)
		case expressions:
			data, err = canonList(nil, data, depth+1)
		}
		items = append(items, item{typ, data})
		return err
	})
	if err != nil || depth > maxDepth {
		return nil, cmp.Or(err, fmt.Errorf("%w: nested too deep", errMalformed))
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(a.typ, b.typ) })
	out := make([]byte, 0, len(b)+len(b)/2)
	for _, it := range items {
		out = binary.BigEndian.AppendUint16(out, it.typ)
		out = appendBlock(out, it.data)
	}
	return out, nil
}

// appendBlock writes bytes behind their length, so that no two different forms run together.
func appendBlock(out, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(out, uint32(len(b))), b...)
}
