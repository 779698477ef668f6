package policy

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// envPrefix begins the names of environment variables that set variables.
const envPrefix = "TCPGUARD_VAR_"

type variable struct {
	name   string
	typ    cty.Type
	value  cty.Value // cty.DynamicVal after a mistake, so that its users are not blamed as well
	isSet  bool
	broken bool
	rng    hcl.Range
}

var variableSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "type"}, {Name: "default"}, {Name: "description"}}}

func (l *loader) declareVariables(blocks hcl.Blocks) {
	for _, b := range blocks {
		name := b.Labels[0]
		if !l.declare("variable", name, b.LabelRanges[0]) {
			continue
		}
		v := &variable{name: name, typ: cty.DynamicPseudoType, value: cty.DynamicVal, rng: b.LabelRanges[0]}
		l.variables[name] = v
		a := args{l, l.content(b.Body, variableSchema, fmt.Sprintf("The variable %q", name)), noScope(l.functions), nil}
		if attr := a.content.Attributes["type"]; attr != nil {
			v.typ, v.broken = l.typeOf(attr.Expr)
		}
		a.text("description")
		if attr := a.content.Attributes["default"]; attr != nil && !v.broken {
			if value, _, ok := l.evalIn(a.scope, attr.Expr); ok {
				l.setVariable(v, value, attr.Expr.Range())
			} else {
				v.broken = true
			}
		}
	}
}

// typeOf reads a type constraint: number, string, bool, any, list(string) and so on.
func (l *loader) typeOf(expr hcl.Expression) (typ cty.Type, broken bool) {
	if file := l.report.files[expr.Range().Filename]; file != nil && expr.Range().CanSliceBytes(file.Bytes) {
		if strings.Count(string(expr.Range().SliceBytes(file.Bytes)), "(") > maxTypeNesting {
			l.report.errorAt(expr.Range(), "Type too complex", fmt.Sprintf("A type is nested at most %d levels deep.", maxTypeNesting))
			return cty.DynamicPseudoType, true
		}
	}
	typ, diags := typeexpr.TypeConstraint(expr)
	for _, d := range diags {
		d.Detail += " Expected string, number, bool, any, or a type made of them such as list(string)."
	}
	l.reportHCL(diags)
	return typ, diags.HasErrors()
}

// setVariable converts a value to the variable's type.
func (l *loader) setVariable(v *variable, value cty.Value, rng hcl.Range) {
	if !l.budget.spend(valueCost(value, l.budget.left)) {
		l.report.errorAt(rng, "Value too large", fmt.Sprintf("The value for variable %q is too large.", v.name))
		v.value, v.broken = cty.DynamicVal, true
		return
	}
	converted, err := convert.Convert(value, v.typ)
	if err != nil {
		l.report.errorAt(rng, "Wrong type", fmt.Sprintf("The value for variable %q must be %s: %s.", v.name, v.typ.FriendlyNameForConstraint(), err),
			place{"declared", v.rng})
		v.value, v.broken = cty.DynamicVal, true
		return
	}
	v.value, v.isSet = converted, true
}

// setVariables takes values from outside, the weakest first, and reports what stays without a value.
func (l *loader) setVariables() {
	for _, entry := range l.opts.Env {
		name, text, found := strings.Cut(entry, "=")
		name, ours := strings.CutPrefix(name, envPrefix)
		if v := l.variables[name]; found && ours && v != nil {
			l.setFromText(v, text, "environment variable "+envPrefix+name)
		}
	}
	for _, path := range l.opts.VarFiles {
		l.bundle.Files = append(l.bundle.Files, path)
		if s := l.parseFile(path); s != nil {
			l.setFromFile(s)
		}
	}
	for _, name := range sortedNames(l.opts.Vars) {
		v := l.variables[name]
		if v == nil {
			l.report.errorHere("Value for undeclared variable",
				fmt.Sprintf("--var sets %q, but no variable of that name is declared.%s", name, didYouMean(name, sortedNames(l.variables))))
			continue
		}
		l.setFromText(v, l.opts.Vars[name], "--var "+name)
	}
	for _, name := range sortedNames(l.variables) {
		if v := l.variables[name]; !v.isSet && !v.broken {
			l.report.errorAt(v.rng, "No value for variable", fmt.Sprintf(
				"The variable %q has no default and is not set; use --var %s=..., --var-file or %s%s.", name, name, envPrefix, name))
		}
	}
}

// setFromText takes the text as it is for a string, number or bool and reads anything else as an expression, as
// Terraform does.
func (l *loader) setFromText(v *variable, text, origin string) {
	if v.typ.IsPrimitiveType() || v.typ == cty.DynamicPseudoType {
		rng := l.pseudoFile(origin, text)
		l.setVariable(v, cty.StringVal(text), rng)
		return
	}
	rng := l.pseudoFile(origin, text)
	if int64(len(text)) > l.opts.MaxFileBytes {
		l.report.errorAt(rng, "Value too large", fmt.Sprintf("A value has at most %d bytes.", l.opts.MaxFileBytes))
		return
	}
	if at, problem := guardNative([]byte(text), origin); problem != "" {
		l.report.errorAt(at, "Expression too complex", problem)
		v.broken = true
		return
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), origin, hcl.InitialPos)
	if l.reportHCL(diags); diags.HasErrors() {
		v.broken = true
		return
	}
	if value, _, ok := l.evalIn(noScope(nil), expr); ok {
		l.setVariable(v, value, rng)
	} else {
		v.broken = true
	}
}

// pseudoFile lets a value from the command line or environment be shown like a line of a file.
func (l *loader) pseudoFile(origin, text string) hcl.Range {
	l.report.files[origin] = &hcl.File{Bytes: []byte(text)}
	end := hcl.Pos{Line: 1, Column: 1 + len(text), Byte: len(text)}
	return hcl.Range{Filename: origin, Start: hcl.InitialPos, End: end}
}

func (l *loader) setFromFile(s *source) {
	attrs, diags := s.file.Body.JustAttributes()
	l.reportHCL(diags)
	for _, name := range sortedNames(attrs) {
		attr := attrs[name]
		v := l.variables[name]
		if v == nil {
			l.report.warnAt(attr.NameRange, "Value for undeclared variable",
				fmt.Sprintf("No variable %q is declared, so this value is not used.%s", name, didYouMean(name, sortedNames(l.variables))))
			continue
		}
		if value, _, ok := l.evalIn(noScope(nil), attr.Expr); ok {
			l.setVariable(v, value, attr.Expr.Range())
		} else {
			v.broken = true
		}
	}
}
