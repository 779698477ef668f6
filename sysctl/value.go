package sysctl

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// Fields splits a value as the kernel prints it, between tabs, spaces and newlines.
func Fields(value string) []string { return strings.Fields(value) }

// Join writes fields as one value with single spaces.
func Join(fields []string) string { return strings.Join(fields, " ") }

// Equal says whether two values of a key mean the same: numbers are compared as numbers ("007" is "7"), lists of ports
// as sets of ports, lists of names as sets of names, and everything else as it stands.
func Equal(key string, a, b []string) bool {
	return slices.EqualFunc(canonical(key, a), canonical(key, b), equalField)
}

// Satisfies says whether the value in force is within the bound that want sets, field by field. Values that are no
// numbers satisfy only their equal.
func Satisfies(key string, bound policy.Bound, want, have []string) bool {
	if bound == policy.Exact || len(want) != len(have) {
		return Equal(key, want, have)
	}
	for i := range want {
		order, numbers := compare(have[i], want[i])
		switch {
		case !numbers && have[i] != want[i],
			numbers && bound == policy.AtLeast && order < 0,
			numbers && bound == policy.AtMost && order > 0:
			return false
		}
	}
	return true
}

// target is what has to be written so that want holds, starting from have: with a bound, the fields of have that are
// within it stay.
func target(bound policy.Bound, want, have []string) []string {
	after := slices.Clone(want)
	if bound == policy.Exact || len(want) != len(have) {
		return after
	}
	for i := range after {
		order, numbers := compare(have[i], want[i])
		if numbers && (bound == policy.AtLeast && order > 0 || bound == policy.AtMost && order < 0) {
			after[i] = have[i]
		}
	}
	return after
}

// canonical brings a value into the form in which equal values are equal field by field.
func canonical(key string, fields []string) []string {
	e, ok := Lookup(key)
	if !ok {
		return fields
	}
	switch e.Kind {
	case PortList:
		ranges, err := parseRanges(fields)
		if err != nil {
			return fields
		}
		return Fields(strings.ReplaceAll(formatRanges(ranges), ",", " "))
	case Names:
		return slices.Compact(slices.Sorted(slices.Values(fields)))
	}
	return fields
}

func equalField(a, b string) bool {
	if order, numbers := compare(a, b); numbers {
		return order == 0
	}
	return a == b
}

// compare orders two fields as decimal numbers of any size; numbers is false when one of them is none.
func compare(a, b string) (order int, numbers bool) {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y), true
	}
	// A few keys hold unsigned 64-bit values, which the kernel prints above the largest int64.
	p, okP := decimal(a)
	q, okQ := decimal(b)
	if !okP || !okQ {
		return 0, false
	}
	return p.Cmp(q), true
}

// maxDigits bounds the work that one field can cause; no kernel value has more than 20.
const maxDigits = 40

func decimal(s string) (*big.Int, bool) {
	if len(s) > maxDigits {
		return nil, false
	}
	return new(big.Int).SetString(s, 10)
}
