package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxWork bounds what all expressions of a bundle may produce together: values of collections and, for text and
// numbers, every sixteen bytes. An honest bundle stays far below it; nested for expressions and strings
// that double from local to local reach any number.
const maxWork = 1_000_000

// budget is the work still allowed.
type budget struct {
	left     int64
	reported bool
}

// spend takes n from the budget and says whether it was there.
func (b *budget) spend(n int64) bool {
	if n < 0 || n > b.left {
		b.left = 0
		return false
	}
	b.left -= n
	return true
}

// metered is an expression whose value costs: its size, and for one that is iterated over, the work of each round.
// Embedding makes it an expression of hclsyntax, which no other package can write by itself.
type metered struct {
	hclsyntax.Expression
	budget *budget
	weight int64
}

// Value evaluates the expression and pays for it. Once the budget is spent nothing is evaluated any more.
func (m *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if m.budget.left <= 0 {
		return cty.DynamicVal, m.refuse()
	}
	v, diags := m.Expression.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	cost := valueCost(v, m.budget.left)
	if cost == bombCost {
		return cty.DynamicVal, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Number too large",
			Detail:   "This text would make a number too large to compute with.",
			Subject:  m.Range().Ptr(),
		}}
	}
	if !m.budget.spend(cost + m.weight*int64(valueLen(v))) {
		return cty.DynamicVal, m.refuse()
	}
	return v, diags
}

// refuse tells of a spent budget once.
func (m *metered) refuse() hcl.Diagnostics {
	if m.budget.reported {
		return nil
	}
	m.budget.reported = true
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Expression too large",
		Detail:   fmt.Sprintf("The expressions of this bundle produce more than %d values.", int64(maxWork)),
		Subject:  m.Range().Ptr(),
	}}
}

// meter wraps, in place, those parts of an expression whose evaluation can cost more than their source is long. The
// weight is what one element of its own value costs whoever iterates over it.
func (b *budget) meter(expr hclsyntax.Expression, weight int64) hclsyntax.Expression {
	w := &meterWalker{budget: b}
	_ = hclsyntax.Walk(expr, w)
	return b.wrap(expr, weight)
}

func (b *budget) wrap(expr hclsyntax.Expression, weight int64) hclsyntax.Expression {
	switch expr.(type) {
	case nil, *hclsyntax.LiteralValueExpr, *metered:
		return expr
	}
	return &metered{Expression: expr, budget: b, weight: weight}
}

// meterWalker counts the nodes below each node; children are replaced when a node is left, after they were walked.
type meterWalker struct {
	budget *budget
	counts []int64
}

func (w *meterWalker) Enter(hclsyntax.Node) hcl.Diagnostics {
	w.counts = append(w.counts, 1)
	return nil
}

func (w *meterWalker) Exit(node hclsyntax.Node) hcl.Diagnostics {
	last := len(w.counts) - 1
	count := w.counts[last]
	w.counts = w.counts[:last]
	if last > 0 {
		w.counts[last-1] += count
	}
	wrap := w.budget.wrap
	switch n := node.(type) {
	case *hclsyntax.ForExpr:
		n.CollExpr = wrap(n.CollExpr, count)
	case *hclsyntax.SplatExpr:
		n.Source = wrap(n.Source, count)
	case *hclsyntax.TemplateExpr:
		for i := range n.Parts {
			n.Parts[i] = wrap(n.Parts[i], 0)
		}
	case *hclsyntax.TemplateJoinExpr:
		n.Tuple = wrap(n.Tuple, 0)
	case *hclsyntax.ConditionalExpr:
		n.TrueResult, n.FalseResult = wrap(n.TrueResult, 0), wrap(n.FalseResult, 0)
	case *hclsyntax.BinaryOpExpr:
		n.LHS, n.RHS = wrap(n.LHS, 0), wrap(n.RHS, 0)
	case *hclsyntax.UnaryOpExpr:
		n.Val = wrap(n.Val, 0)
	case *hclsyntax.IndexExpr:
		n.Key = wrap(n.Key, 0)
	case *hclsyntax.FunctionCallExpr:
		for i := range n.Args {
			n.Args[i] = wrap(n.Args[i], 0)
		}
	}
	return nil
}

// valueLen is how often a for expression goes round over the value.
func valueLen(v cty.Value) int {
	if !v.IsKnown() || v.IsNull() || v.IsMarked() {
		return 0
	}
	t := v.Type()
	if t.IsTupleType() || t.IsObjectType() || t.IsCollectionType() {
		return v.LengthInt()
	}
	return 0
}

// bombCost is the cost of text that no budget is enough for once it is taken for a number.
const bombCost = math.MaxInt64 / 2

// valueCost is the size of a value with everything in it, counted no further than limit. Shared parts count each
// time, as they do for whatever walks the value.
func valueCost(v cty.Value, limit int64) int64 {
	if !v.IsKnown() || v.IsNull() || v.IsMarked() {
		return 1
	}
	t := v.Type()
	switch {
	case t == cty.String:
		if numberBomb(v.AsString()) {
			return bombCost
		}
		return 1 + int64(len(v.AsString())/16)
	case t == cty.Number:
		exponent := v.AsBigFloat().MantExp(nil)
		return 1 + int64(max(exponent, -exponent)/64)
	case t.IsTupleType() || t.IsObjectType() || t.IsCollectionType():
		cost := 1 + mixedCost(t)
		for it := v.ElementIterator(); it.Next() && cost <= limit; {
			_, e := it.Element()
			part := valueCost(e, limit-cost)
			if part == bombCost {
				return bombCost
			}
			cost += part
		}
		return cost
	}
	return 1
}

// mixedCost is what finding a common type for the elements of a tuple takes: cty compares each with each when they
// differ.
func mixedCost(t cty.Type) int64 {
	if !t.IsTupleType() {
		return 0
	}
	types := t.TupleElementTypes()
	for _, e := range types {
		if e.IsPrimitiveType() && e != types[0] || !e.IsPrimitiveType() {
			return int64(len(types)) * int64(len(types)) / 64
		}
	}
	return 0
}

// numberBomb recognises text that would be dear as a number, which every operator and many functions make of it:
// infinite, of thousands of digits, or with an exponent whose digits would fill the memory.
func numberBomb(s string) bool {
	s = strings.TrimLeft(s, "+-")
	if s == "" || len(s) > 3 && (s[0] < '0' || s[0] > '9') && s[0] != '.' {
		return strings.EqualFold(s, "infinity")
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	if digits == 0 {
		return strings.EqualFold(s, "inf")
	}
	exponent := s[digits:]
	if exponent == "" {
		return digits > maxDigits
	}
	if strings.IndexByte("eEpP", exponent[0]) < 0 {
		return false
	}
	power := strings.TrimLeft(exponent[1:], "+-")
	rest := strings.TrimLeft(power, "0123456789")
	if rest != "" {
		return false
	}
	power = strings.TrimLeft(power, "0")
	n, err := strconv.Atoi(power)
	return len(power) > 4 || err == nil && n > maxExponent || digits > maxDigits
}
