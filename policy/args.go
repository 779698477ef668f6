package policy

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// args reads the arguments of one block. Every reader reports what is wrong and then says that there is no value,
// just as for an argument that is absent or null.
type args struct {
	l       *loader
	content *hcl.BodyContent
	scope   *scope
	needed  []string // arguments that may not be null
}

// args decodes a block. Null is as good as not written, except for what the schema requires and what is needed
// besides.
func (l *loader) args(body hcl.Body, schema *hcl.BodySchema, where string, needed ...string) args {
	for _, a := range schema.Attributes {
		if a.Required {
			needed = append(needed, a.Name)
		}
	}
	return args{l, l.content(body, schema, where), l.scope, needed}
}

// has says whether an argument is written, whatever its value.
func (a args) has(name string) bool { return a.content.Attributes[name] != nil }

// rangeOf is where an argument's value stands, or its block's place when it is not written.
func (a args) rangeOf(name string) hcl.Range {
	if attr := a.content.Attributes[name]; attr != nil {
		return attr.Expr.Range()
	}
	return a.content.MissingItemRange
}

func (a args) value(name string) (v cty.Value, rng hcl.Range, tree hclsyntax.Expression, ok bool) {
	attr := a.content.Attributes[name]
	if attr == nil {
		return cty.NilVal, hcl.Range{}, nil, false
	}
	v, tree, ok = a.l.evalIn(a.scope, attr.Expr)
	if ok && v.IsNull() && slices.Contains(a.needed, name) {
		a.l.report.errorAt(attr.Expr.Range(), "Missing argument", fmt.Sprintf("%q is needed here and cannot be null.", name))
	}
	return v, attr.Expr.Range(), tree, ok && !v.IsNull()
}

// text reads a string.
func (a args) text(name string) (string, hcl.Range, bool) {
	v, rng, _, ok := a.value(name)
	if !ok {
		return "", rng, false
	}
	if v.Type() != cty.String {
		a.wrongType(name, rng, "a string", v)
		return "", rng, false
	}
	return v.AsString(), rng, true
}

// enum reads one of a few words.
func (a args) enum(name string, words ...string) (string, bool) {
	text, rng, ok := a.text(name)
	if !ok {
		return "", false
	}
	for _, w := range words {
		if w == text {
			return text, true
		}
	}
	a.l.report.errorAt(rng, "Unknown value", fmt.Sprintf("%q cannot be %q.%s Expected %s.", name, short(text), didYouMean(text, words), oneOf(words)))
	return "", false
}

// whole reads a whole number from low to high.
func (a args) whole(name string, low, high uint64) (uint64, bool) {
	v, rng, _, ok := a.value(name)
	if !ok {
		return 0, false
	}
	n, problem := wholeFrom(v)
	if problem == notNumber {
		a.wrongType(name, rng, "a whole number", v)
		return 0, false
	}
	if problem == notWhole {
		a.l.report.errorAt(rng, "Whole number expected", fmt.Sprintf("%q must be a whole number; this is %s.", name, numberText(v)))
		return 0, false
	}
	if n == nil || !n.IsUint64() || n.Uint64() < low || n.Uint64() > high {
		a.l.report.errorAt(rng, "Number out of range", fmt.Sprintf("%q must be from %d to %d; this is %s.", name, low, high, numberText(v)))
		return 0, false
	}
	return n.Uint64(), true
}

// numberProblem says why a value is no whole number.
type numberProblem int

const (
	isWhole numberProblem = iota
	notNumber
	notWhole
)

// wholeFrom reads a whole number, or text that is one. A number beyond 256 bits gives nil.
func wholeFrom(v cty.Value) (*big.Int, numberProblem) {
	switch {
	case v.Type() == cty.String:
		if text := v.AsString(); len(text) <= 20 {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				return big.NewInt(n), isWhole
			}
		}
		return nil, notNumber
	case v.Type() != cty.Number:
		return nil, notNumber
	case !v.AsBigFloat().IsInt() && !v.AsBigFloat().IsInf():
		return nil, notWhole
	}
	return wholeNumber(v), isWhole
}

// numberText writes a number as a person would: whole ones of moderate size in full.
func numberText(v cty.Value) string {
	if v.Type() == cty.String {
		return strconv.Quote(short(v.AsString()))
	}
	f := v.AsBigFloat()
	if f.IsInt() && f.MantExp(nil) <= 64 {
		return f.Text('f', 0)
	}
	return f.Text('g', 6)
}

// element is one value of a list argument and where it stands: its own place when the list is written out, else that
// of the whole expression.
type element struct {
	value cty.Value
	rng   hcl.Range
}

// elements reads a list. ok is false also when the argument is absent.
func (a args) elements(name, example string) (list []element, rng hcl.Range, ok bool) {
	v, rng, tree, ok := a.value(name)
	if !ok {
		return nil, rng, false
	}
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		a.wrongType(name, rng, "a list, such as "+example, v)
		return nil, rng, false
	}
	written, _ := tree.(*hclsyntax.TupleConsExpr)
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		at := rng
		if written != nil && len(written.Exprs) == v.LengthInt() {
			at = written.Exprs[len(list)].Range()
		}
		list = append(list, element{e, at})
	}
	return list, rng, true
}

// texts reads a list of strings.
func (a args) texts(name, example string) (list []element, ok bool) {
	all, _, ok := a.elements(name, example)
	for _, e := range all {
		if e.value.IsNull() || e.value.Type() != cty.String {
			a.l.report.errorAt(e.rng, "Wrong type", fmt.Sprintf("%q holds strings, such as %s; this is %s.", name, example, describe(e.value)))
			continue
		}
		list = append(list, e)
	}
	return list, ok
}

func (a args) wrongType(name string, rng hcl.Range, want string, v cty.Value) {
	a.l.report.errorAt(rng, "Wrong type", fmt.Sprintf("%q must be %s; this is %s.", name, want, describe(v)))
}

// describe names a value's type, with the value where it is short.
func describe(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	switch t := v.Type(); {
	case t == cty.String:
		return "the string " + strconv.Quote(short(v.AsString()))
	case t == cty.Number:
		return "the number " + numberText(v)
	case t == cty.Bool && v.True():
		return "true"
	case t == cty.Bool:
		return "false"
	case t == listType:
		return "list." + v.EncapsulatedValue().(*listRef).name
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	default:
		return "an object"
	}
}

// short cuts text that goes into a message.
func short(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
