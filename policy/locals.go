package policy

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// maxLocals bounds the local values of a bundle: they may form one long chain, which is followed recursively.
const maxLocals = 10_000

// maxLocalExponent bounds, in bits, what a local number may grow to, for the next local could square it.
const maxLocalExponent = 2048

type local struct {
	name  string
	attr  *hcl.Attribute
	state localState
	value cty.Value
}

type localState int

const (
	localWaiting localState = iota
	localActive
	localDone
)

// localResolver evaluates locals in the order in which they need each other.
type localResolver struct {
	l      *loader
	scope  *scope
	locals map[string]*local
	path   []*local // those being evaluated, outermost first
}

func (l *loader) evalLocals(blocks hcl.Blocks) map[string]cty.Value {
	r := &localResolver{l: l, scope: l.newScope(), locals: map[string]*local{}}
	r.scope.add("local", nil)
	for _, b := range blocks {
		attrs, diags := b.Body.JustAttributes()
		l.reportHCL(diags)
		for _, name := range sortedNames(attrs) {
			attr := attrs[name]
			if len(r.locals) >= maxLocals {
				l.report.errorAt(attr.NameRange, "Too many local values", fmt.Sprintf("A bundle has at most %d local values.", maxLocals))
				break
			}
			if !l.once("local "+name, "local value", fmt.Sprintf("The local value %q is declared twice; a name stands for one thing.", name), attr.NameRange) {
				continue
			}
			r.locals[name] = &local{name: name, attr: attr, value: cty.DynamicVal}
			r.scope.names["local"][name] = true
		}
	}
	values := map[string]cty.Value{}
	for _, name := range sortedNames(r.locals) {
		values[name] = r.resolve(r.locals[name])
	}
	return values
}

func (r *localResolver) resolve(v *local) cty.Value {
	switch v.state {
	case localDone:
		return v.value
	case localActive:
		r.reportCycle(v)
		return cty.DynamicVal
	}
	v.state = localActive
	r.path = append(r.path, v)
	defer func() {
		v.state = localDone
		r.path = r.path[:len(r.path)-1]
	}()
	p, ok := r.l.prepare(v.attr.Expr)
	if !ok || !r.scope.check(r.l.report, p.refs) {
		return v.value
	}
	// Only the locals needed go into the scope, so that a thousand locals do not cost a million assignments.
	needed := map[string]cty.Value{}
	for _, t := range p.refs {
		if name, found := memberOf(t); found && t.RootName() == "local" {
			needed[name] = r.resolve(r.locals[name])
		}
	}
	r.scope.ctx.Variables["local"] = cty.ObjectVal(needed)
	if value, ok := r.l.value(r.scope, p.expr); ok {
		if problem := tooLarge(value); problem != "" {
			r.l.report.errorAt(v.attr.Expr.Range(), "Number too large", fmt.Sprintf("The local value %q %s.", v.name, problem))
			return v.value
		}
		v.value = value
	}
	return v.value
}

// reportCycle shows every local value of the cycle that ends where v began.
func (r *localResolver) reportCycle(v *local) {
	start := len(r.path) - 1
	for start > 0 && r.path[start] != v {
		start--
	}
	var names []string
	var others []place
	for _, p := range r.path[start:] {
		names = append(names, "local."+p.name)
		if p != v {
			others = append(others, place{"also part of it", p.attr.NameRange})
		}
	}
	if len(others) > 10 {
		others = others[:10]
		names = append(names[:10], "...")
	}
	r.l.report.errorAt(v.attr.NameRange, "Local values form a cycle",
		fmt.Sprintf("Each needs the next to be known first: %s -> local.%s.", strings.Join(names, " -> "), v.name), others...)
}

// tooLarge finds a number that only a bomb would compute.
func tooLarge(v cty.Value) string {
	problem := ""
	_ = cty.Walk(v, func(_ cty.Path, e cty.Value) (bool, error) {
		if e.Type() == cty.Number && e.IsKnown() && !e.IsNull() {
			if x := e.AsBigFloat().MantExp(nil); x > maxLocalExponent || x < -maxLocalExponent {
				problem = "is or holds a number too large or too small to mean anything"
			}
		}
		return true, nil
	})
	return problem
}
