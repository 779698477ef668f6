package sysctl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// trees are the directories that the kernel makes directly below /proc/sys.
var trees = []string{"abi", "crypto", "debug", "dev", "fs", "kernel", "net", "sunrpc", "user", "vm"}

// maxTypos is how many typing errors apart two keys are taken for one and the same key.
const maxTypos = 2

// Check judges a declared setting without looking at any kernel; nil is good. It is what policy.Options.CheckSysctl
// asks for.
//
// A key of the catalog must have a value of its kind and inside its range: the kernel takes many that mean nothing
// (tcp_syncookies 5), or takes part of one (ip_local_port_range 1024). A key outside the catalog is accepted with any
// value when it is below one of the kernel's trees and is not what somebody gets who mistypes a catalogued key; whether
// the kernel has it is seen when its state is read.
func Check(key string, want []string, bound policy.Bound) *policy.SysctlProblem {
	normal, err := ParseKey(key)
	if err != nil {
		return &policy.SysctlProblem{Kind: policy.SysctlUnknownKey, Nearest: Nearest(key), Text: err.Error()}
	}
	e, known := Lookup(normal)
	if !known {
		return checkUnknown(normal)
	}
	if e.ReadOnly {
		return &policy.SysctlProblem{Kind: policy.SysctlBadBound, Text: "the kernel only shows it"}
	}
	if bound != policy.Exact && slices.Contains([]Kind{Bitmask, PortRange, PortList, Name, Names}, e.Kind) {
		return &policy.SysctlProblem{Kind: policy.SysctlBadBound,
			Text: fmt.Sprintf("a %s is neither large nor small, so only value makes sense", e.Kind)}
	}
	if text := e.check(want); text != "" {
		return &policy.SysctlProblem{Kind: policy.SysctlOutOfRange, Text: text}
	}
	return nil
}

func checkUnknown(key string) *policy.SysctlProblem {
	tree, _, _ := strings.Cut(key, ".")
	near := Nearest(key)
	if near != "" || !slices.Contains(trees, tree) {
		return &policy.SysctlProblem{Kind: policy.SysctlUnknownKey, Nearest: near}
	}
	return nil
}

// check says what is wrong with a value, or nothing. The text names the range and the value.
func (e Entry) check(want []string) string {
	if e.Fields > 0 && len(want) != e.Fields {
		return fmt.Sprintf("expected %s, not %s", e.expected(), quote(want))
	}
	switch e.Kind {
	case Name, Names:
		return e.checkNames(want)
	case PortList:
		return e.checkList(want)
	}
	var last int64
	for i, field := range want {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil || n < e.Min || n > e.Max || e.Kind == Bitmask && n&^e.Max != 0 {
			return fmt.Sprintf("expected %s, not %s", e.expected(), quote(want))
		}
		if e.Ascending && i > 0 && n < last {
			return fmt.Sprintf("expected %s in rising order, not %s", e.expected(), quote(want))
		}
		last = n
	}
	return ""
}

func (e Entry) checkNames(want []string) string {
	if len(want) == 0 {
		return "expected a name"
	}
	for _, w := range want {
		if w == "" || strings.ContainsAny(w, " \t\n") {
			return fmt.Sprintf("expected a name, not %q", w)
		}
	}
	return ""
}

func (e Entry) checkList(want []string) string {
	spans, err := parseRanges(want)
	if err != nil {
		return err.Error()
	}
	if n := len(spans); n > 0 && spans[n-1].last > e.Max {
		return fmt.Sprintf("expected numbers from 0 to %d, not %s", e.Max, quote(want))
	}
	return ""
}

// expected describes the values of an entry: "a number from 0 to 65535 (connections)".
func (e Entry) expected() string {
	switch e.Kind {
	case Boolean:
		return "0 or 1"
	case Name:
		return "one name"
	case Bitmask:
		return fmt.Sprintf("a sum of bits from %#x", e.Max)
	}
	text := fmt.Sprintf("a number from %d to %d", e.Min, e.Max)
	if e.Fields > 1 {
		text = fmt.Sprintf("%d numbers from %d to %d", e.Fields, e.Min, e.Max)
	}
	if e.Unit != "" {
		text += " (" + e.Unit + ")"
	}
	return text
}
