package policy

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

type sysctlDecl struct {
	Sysctl
	label hcl.Range
	value hcl.Range
}

var sysctlSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: string(Exact)}, {Name: string(AtLeast)}, {Name: string(AtMost)}, {Name: "on_missing"}, {Name: "on_remove"},
}}

// maxSysctlValue bounds the text of a value: the kernel takes at most a page.
const maxSysctlValue = 4095

func (l *loader) decodeSysctl(b *hcl.Block) {
	label := b.LabelRanges[0]
	key, problem := NormalizeSysctlKey(b.Labels[0])
	if problem != "" {
		l.report.errorAt(label, "Bad sysctl key", fmt.Sprintf("%q %s.", short(b.Labels[0]), problem))
		return
	}
	if !l.once("sysctl "+key, "sysctl", fmt.Sprintf("The sysctl %q is declared twice, whether with dots or slashes.", key), label) {
		return
	}
	d := &sysctlDecl{Sysctl: Sysctl{Key: key, OnMissing: MissingError, OnRemove: RemoveRestore, Range: rangeOf(label)}, label: label}
	a := l.args(b.Body, sysctlSchema, fmt.Sprintf("The sysctl %q", key), string(Exact), string(AtLeast), string(AtMost))
	if v, ok := a.enum("on_missing", string(MissingError), string(MissingSkip)); ok {
		d.OnMissing = OnMissing(v)
	}
	if v, ok := a.enum("on_remove", string(RemoveRestore), string(RemoveKeep)); ok {
		d.OnRemove = OnRemove(v)
	}
	if l.sysctlValue(a, d) {
		l.sysctls[key] = d
		l.checkSysctl(d)
	}
}

// sysctlValue reads the one bound that is declared.
func (l *loader) sysctlValue(a args, d *sysctlDecl) bool {
	var given []Bound
	for _, bound := range []Bound{Exact, AtLeast, AtMost} {
		if a.has(string(bound)) {
			given = append(given, bound)
		}
	}
	if len(given) == 0 {
		l.report.errorAt(d.label, "Missing argument", fmt.Sprintf("The sysctl %q needs one of \"value\", \"at_least\" or \"at_most\".", d.Key))
		return false
	}
	if len(given) > 1 {
		second := a.content.Attributes[string(given[1])]
		l.report.errorAt(second.NameRange, "Two values for one sysctl", fmt.Sprintf("The sysctl %q takes one of \"value\", \"at_least\" and \"at_most\".", d.Key),
			place{"the other one", a.content.Attributes[string(given[0])].NameRange})
		return false
	}
	d.Bound = given[0]
	name := string(d.Bound)
	v, rng, _, ok := a.value(name)
	d.value = a.rangeOf(name)
	if !ok {
		return false
	}
	fields, ok := sysctlFields(v)
	if !ok || len(fields) == 0 && d.Bound != Exact {
		a.wrongType(name, rng, "a number, a string or a list of numbers, such as 4096 or [4096, 87380, 6291456]", v)
		return false
	}
	if d.Bound != Exact {
		for _, f := range fields {
			if !isDigits(strings.TrimPrefix(f, "-")) {
				l.report.errorAt(rng, "Whole number expected", fmt.Sprintf("%q compares whole numbers; this is %q.", name, short(f)))
				return false
			}
		}
	}
	d.Want = fields
	return true
}

// sysctlFields turns a value into the words the kernel shows: numbers, text cut at white space, or a list of them.
func sysctlFields(v cty.Value) ([]string, bool) {
	if v.IsNull() {
		return nil, false
	}
	t := v.Type()
	switch {
	case t == cty.Number:
		n, problem := wholeFrom(v)
		if problem != isWhole || n == nil {
			return nil, false
		}
		return []string{n.String()}, true
	case t == cty.Bool:
		return []string{map[bool]string{false: "0", true: "1"}[v.True()]}, true
	case t == cty.String:
		text := v.AsString()
		if len(text) > maxSysctlValue || strings.ContainsAny(text, "\x00\n") {
			return nil, false
		}
		return strings.Fields(text), true
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		var fields []string
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if e.IsNull() || e.Type() != cty.Number && e.Type() != cty.String {
				return nil, false
			}
			more, ok := sysctlFields(e)
			if !ok || len(fields)+len(more) > maxSysctlValue/2 {
				return nil, false
			}
			fields = append(fields, more...)
		}
		return fields, true
	}
	return nil, false
}

// checkSysctl asks the catalog that the caller brought.
func (l *loader) checkSysctl(d *sysctlDecl) {
	if l.opts.CheckSysctl == nil {
		return
	}
	p := l.opts.CheckSysctl(d.Key, d.Want, d.Bound)
	switch {
	case p == nil:
	case p.Kind == SysctlUnknownKey:
		detail := fmt.Sprintf("No sysctl %q is known.", d.Key)
		if p.Nearest != "" {
			detail += fmt.Sprintf(" Did you mean %q?", p.Nearest)
		}
		l.report.errorAt(d.label, "Unknown sysctl", detail)
	case p.Kind == SysctlBadBound:
		l.report.errorAt(d.value, "Wrong bound for a sysctl", fmt.Sprintf("%q cannot be set by %s: %s.", d.Key, d.Bound, p.Text))
	default:
		l.report.errorAt(d.value, "Sysctl out of range", fmt.Sprintf("%q cannot be %s: %s.", d.Key, strings.Join(d.Want, " "), p.Text))
	}
}

// NormalizeSysctlKey gives the normal form of a key, described at Sysctl.Key. As for sysctl(8), the first separator
// decides: after a slash the dots belong to names, after a dot the slashes stand for dots in names. problem is empty
// or says, lower case and without a full stop, what is wrong.
func NormalizeSysctlKey(key string) (normal, problem string) {
	if len(key) > 256 {
		return "", "is longer than any key"
	}
	first := strings.IndexAny(key, "./")
	if first >= 0 && key[first] == '/' {
		key = strings.NewReplacer("/", ".", ".", "/").Replace(key)
	}
	for _, name := range strings.Split(key, ".") {
		switch {
		case name == "":
			return "", "has an empty part; expected names separated by dots, such as net.core.somaxconn"
		case strings.Trim(name, "/") == "":
			return "", "leads out of the tree of sysctls"
		}
		for _, r := range name {
			if r <= ' ' || r >= 0x7f || strings.ContainsRune("*?[]{}\\\"'", r) {
				return "", "has a character that no key has"
			}
		}
	}
	if !strings.Contains(key, ".") {
		return "", "is not a key; expected names separated by dots, such as net.core.somaxconn"
	}
	return key, ""
}
