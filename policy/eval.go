package policy

import (
	"fmt"
	"reflect"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// listRef is what list.x evaluates to: the name of the list, opaque to every function.
type listRef struct{ name string }

// listType is a capsule, so that a list can be passed on in locals but never mistaken for text. cty compares capsule
// types by identity, which makes one package-level value the type.
var listType = cty.Capsule("list of addresses", reflect.TypeFor[listRef]())

// scope is what expressions may refer to.
type scope struct {
	ctx   *hcl.EvalContext
	names map[string]map[string]bool // root name to what may follow it
	roots []string
}

// noScope allows no references at all, only literals and functions.
func noScope(fns map[string]function.Function) *scope {
	return &scope{ctx: &hcl.EvalContext{Functions: fns, Variables: map[string]cty.Value{}}}
}

// check reports references to what is not declared, each with the nearest name that is.
func (s *scope) check(r *reporter, refs []hcl.Traversal) bool {
	ok := true
	for _, t := range refs {
		root := t.RootName()
		members, known := s.names[root]
		switch {
		case len(s.roots) == 0:
			r.errorAt(t.SourceRange(), "References not allowed here", fmt.Sprintf("A fixed value is expected here, without a reference such as %q.", root))
			ok = false
		case !known:
			r.errorAt(t.SourceRange(), "Reference to undeclared name",
				fmt.Sprintf("There is nothing named %q.%s Expressions may refer to %s.", root, didYouMean(root, s.roots), oneOf(s.roots)))
			ok = false
		default:
			ok = s.checkMember(r, t, root, members) && ok
		}
	}
	return ok
}

func (s *scope) checkMember(r *reporter, t hcl.Traversal, root string, members map[string]bool) bool {
	name, found := memberOf(t)
	if !found {
		r.errorAt(t.SourceRange(), "Incomplete reference", fmt.Sprintf("%q must be followed by a name, as in %s.%s.", root, root, example(members)))
		return false
	}
	if members[name] {
		return true
	}
	what := map[string]string{"var": "variable", "local": "local value", "list": "list", "host": "fact about the host"}[root]
	r.errorAt(t.SourceRange(), "Reference to undeclared "+what,
		fmt.Sprintf("There is no %s named %q.%s", what, name, didYouMean(name, sortedNames(members))))
	return false
}

// memberOf gives x of var.x and var["x"].
func memberOf(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

func example(members map[string]bool) string {
	if names := sortedNames(members); len(names) > 0 {
		return names[0]
	}
	return "name"
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// prepared is an expression that was checked and metered.
type prepared struct {
	expr hcl.Expression
	tree hclsyntax.Expression // for the ranges of its parts
	refs []hcl.Traversal
}

// prepare makes an expression ready for evaluation, once: what stands in a dynamic block is evaluated in each round
// and metered in the first. ok is false when it cannot be evaluated, which is then reported.
func (l *loader) prepare(expr hcl.Expression) (p prepared, ok bool) {
	inner := hcl.UnwrapExpression(expr)
	tree, diags := syntaxOf(inner)
	if l.reportHCL(diags); diags.HasErrors() || tree == nil {
		return prepared{}, false
	}
	if inner == expr {
		p = prepared{tree: tree, refs: tree.Variables()}
		p.expr = l.budget.meter(tree, 0)
		return p, true
	}
	// A dynamic block's expression, whose wrapper carries the iterator's value.
	p = prepared{expr: expr, tree: tree}
	if _, again := l.metered[tree]; !again {
		l.metered[tree] = struct{}{}
		p.refs = expr.Variables()
		l.budget.meter(tree, 0)
	}
	return p, true
}

// evalIn evaluates an argument's expression. ok is false when there is no value to work with: the mistake is reported,
// or the value comes from a declaration whose mistake is.
func (l *loader) evalIn(s *scope, expr hcl.Expression) (v cty.Value, tree hclsyntax.Expression, ok bool) {
	p, ok := l.prepare(expr)
	if !ok {
		return cty.NilVal, nil, false
	}
	if !s.check(l.report, p.refs) {
		return cty.NilVal, nil, false
	}
	v, ok = l.value(s, p.expr)
	return v, p.tree, ok
}

func (l *loader) value(s *scope, expr hcl.Expression) (cty.Value, bool) {
	v, diags := expr.Value(s.ctx)
	if l.reportHCL(diags); diags.HasErrors() {
		return cty.NilVal, false
	}
	if v.IsMarked() || !v.IsWhollyKnown() {
		return cty.NilVal, false
	}
	return v, true
}
