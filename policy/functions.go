package policy

import (
	"fmt"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// maxFormatWidth bounds the width and precision of a verb of format.
const maxFormatWidth = 1000

// functions are those the language has, each paying from the budget for what it may produce beyond its arguments.
func functions(b *budget) map[string]function.Function {
	return map[string]function.Function{
		"min":        stdlib.MinFunc,
		"max":        stdlib.MaxFunc,
		"ceil":       stdlib.CeilFunc,
		"floor":      stdlib.FloorFunc,
		"concat":     stdlib.ConcatFunc,
		"distinct":   distinctFunc,
		"flatten":    priced(b, stdlib.FlattenFunc, nil),
		"contains":   stdlib.ContainsFunc,
		"length":     stdlib.LengthFunc,
		"format":     priced(b, stdlib.FormatFunc, formatCost),
		"join":       priced(b, stdlib.JoinFunc, joinCost),
		"split":      priced(b, stdlib.SplitFunc, splitCost),
		"lower":      stdlib.LowerFunc,
		"upper":      stdlib.UpperFunc,
		"cidrsubnet": cidrSubnetFunc,
		"cidrhost":   cidrHostFunc,
		"coalesce":   stdlib.CoalesceFunc,
		"lookup":     stdlib.LookupFunc,
		"merge":      stdlib.MergeFunc,
	}
}

// functionNames gives the names in order, for suggestions.
func functionNames(fns map[string]function.Function) []string {
	names := make([]string, 0, len(fns))
	for name := range fns {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// priced wraps a function so that it pays for its arguments, and for what cost adds, before it begins.
func priced(b *budget, fn function.Function, cost func(args []cty.Value) (int64, error)) function.Function {
	return function.New(&function.Spec{
		Params:   fn.Params(),
		VarParam: fn.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			total := int64(1)
			for _, a := range args {
				total += valueCost(a, b.left)
			}
			if cost != nil {
				extra, err := cost(args)
				if err != nil {
					return cty.DynamicPseudoType, err
				}
				total += extra
			}
			if !b.spend(total) {
				return cty.DynamicPseudoType, fmt.Errorf("the result is too large")
			}
			return fn.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return fn.Call(args) },
	})
}

// known gives the text of a string that is there.
func known(v cty.Value) string {
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		return v.AsString()
	}
	return ""
}

// formatCost refuses a width that would fill the memory, and prices each verb as if it printed every argument.
func formatCost(args []cty.Value) (int64, error) {
	if len(args) == 0 {
		return 0, nil
	}
	pattern := known(args[0])
	number, verb := 0, false
	for _, c := range pattern {
		switch {
		case c == '%':
			verb, number = !verb, 0
		case verb && c >= '0' && c <= '9':
			if number = number*10 + int(c-'0'); number > maxFormatWidth {
				return 0, function.NewArgErrorf(0, "a width, precision or index above %d", maxFormatWidth)
			}
		case verb && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
			verb = false
		default:
			number = 0
		}
	}
	size := int64(maxFormatWidth / 16)
	for _, a := range args[1:] {
		size += valueCost(a, maxWork)
	}
	return int64(strings.Count(pattern, "%")) * size, nil
}

// joinCost counts the separator once for each element.
func joinCost(args []cty.Value) (int64, error) {
	if len(args) == 0 {
		return 0, nil
	}
	elements := int64(0)
	for _, a := range args[1:] {
		elements += int64(valueLen(a))
	}
	return elements * int64(1+len(known(args[0]))/16), nil
}

// splitCost counts the pieces: an empty separator cuts a text into its characters.
func splitCost(args []cty.Value) (int64, error) {
	if len(args) < 2 {
		return 0, nil
	}
	return 2 * int64(strings.Count(known(args[1]), known(args[0]))+1), nil
}

// distinctFunc removes duplicates and keeps the order. The library's own compares each element with each.
var distinctFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.List(cty.DynamicPseudoType)}},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		if args[0].LengthInt() == 0 {
			return cty.ListValEmpty(ret.ElementType()), nil
		}
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(ret), nil
		}
		seen := map[int][]cty.Value{}
		var kept []cty.Value
	elements:
		for it := args[0].ElementIterator(); it.Next(); {
			_, e := it.Element()
			hash := e.Hash()
			for _, other := range seen[hash] {
				if other.RawEquals(e) {
					continue elements
				}
			}
			seen[hash] = append(seen[hash], e)
			kept = append(kept, e)
		}
		return cty.ListVal(kept), nil
	},
})
