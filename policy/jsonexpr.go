package policy

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// syntaxOf gives the syntax tree behind an expression. One of a JSON file is turned into the tree that the native
// syntax would have given, because hcl's own JSON expressions parse their templates at each evaluation, where they
// can be neither checked nor metered.
func syntaxOf(expr hcl.Expression) (hclsyntax.Expression, hcl.Diagnostics) {
	if native, ok := expr.(hclsyntax.Expression); ok {
		return native, nil
	}
	if !hcljson.IsJSONExpression(expr) {
		return nil, nil
	}
	if list, diags := hcl.ExprList(expr); !diags.HasErrors() {
		return jsonTuple(expr, list)
	}
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
		return jsonObject(expr, pairs)
	}
	v, _ := expr.Value(nil) // without a context a string stays as it is written
	if v.Type() == cty.String && !v.IsNull() && v.IsKnown() {
		if s := v.AsString(); strings.Contains(s, "${") || strings.Contains(s, "%{") {
			return jsonTemplate(s, expr.Range())
		}
	}
	return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: expr.Range()}, nil
}

func jsonTuple(expr hcl.Expression, list []hcl.Expression) (hclsyntax.Expression, hcl.Diagnostics) {
	tuple := &hclsyntax.TupleConsExpr{SrcRange: expr.Range(), OpenRange: expr.StartRange()}
	var diags hcl.Diagnostics
	for _, e := range list {
		element, more := syntaxOf(e)
		diags = append(diags, more...)
		if element != nil {
			tuple.Exprs = append(tuple.Exprs, element)
		}
	}
	return tuple, diags
}

func jsonObject(expr hcl.Expression, pairs []hcl.KeyValuePair) (hclsyntax.Expression, hcl.Diagnostics) {
	object := &hclsyntax.ObjectConsExpr{SrcRange: expr.Range(), OpenRange: expr.StartRange()}
	var diags hcl.Diagnostics
	for _, pair := range pairs {
		key, more := syntaxOf(pair.Key)
		diags = append(diags, more...)
		value, more := syntaxOf(pair.Value)
		diags = append(diags, more...)
		if key != nil && value != nil {
			object.Items = append(object.Items, hclsyntax.ObjectConsItem{KeyExpr: key, ValueExpr: value})
		}
	}
	return object, diags
}

// jsonTemplate parses a string as the inside of a quoted template. Positions count from behind the opening quote.
func jsonTemplate(s string, rng hcl.Range) (hclsyntax.Expression, hcl.Diagnostics) {
	start := rng.Start
	start.Byte++
	start.Column++
	if at, problem := guardTemplate(s, rng); problem != "" {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Expression too complex", Detail: problem, Subject: &at}}
	}
	return hclsyntax.ParseTemplate([]byte(s), rng.Filename, start)
}
