package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

var tcpguardSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "required_version"}}}

// requireVersion compares this program's version with what the files ask for.
func (l *loader) requireVersion(blocks hcl.Blocks) {
	for _, b := range blocks {
		a := args{l, l.content(b.Body, tcpguardSchema, "The tcpguard block"), noScope(l.functions), nil}
		text, rng, ok := a.text("required_version")
		if !ok {
			continue
		}
		constraints, err := parseConstraints(text)
		if err != nil {
			l.report.errorAt(rng, "Bad version constraint", fmt.Sprintf("%s; expected constraints such as \">= 0.1, < 2\".", err))
			continue
		}
		have, err := parseVersion(l.opts.Version)
		if l.opts.Version == "" || err != nil {
			continue // an unreleased build
		}
		for _, c := range constraints {
			if !c.holds(have) {
				l.report.errorAt(rng, "Wrong version of tcpguard", fmt.Sprintf("These files need tcpguard %s; this is %s.", text, l.opts.Version))
				break
			}
		}
	}
}

// version is major, minor, patch and how many of them were written.
type version struct {
	part    [3]uint64
	written int
}

type constraint struct {
	op   string
	want version
}

// parseVersion reads "1", "1.2" or "v1.2.3"; what follows a "-" or "+" does not count.
func parseVersion(text string) (version, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "v")
	text, _, _ = strings.Cut(text, "+")
	text, _, _ = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	var v version
	if len(parts) > len(v.part) {
		return v, fmt.Errorf("%q is not a version", text)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return v, fmt.Errorf("%q is not a version", text)
		}
		v.part[i] = n
	}
	v.written = len(parts)
	return v, nil
}

func parseConstraints(text string) ([]constraint, error) {
	var out []constraint
	for _, one := range strings.Split(text, ",") {
		one = strings.TrimSpace(one)
		c := constraint{op: "="}
		for _, op := range []string{">=", "<=", "!=", "~>", ">", "<", "="} {
			if rest, found := strings.CutPrefix(one, op); found {
				c.op, one = op, rest
				break
			}
		}
		v, err := parseVersion(one)
		if err != nil {
			return nil, err
		}
		c.want = v
		out = append(out, c)
	}
	return out, nil
}

func (v version) compare(other version) int {
	for i := range v.part {
		if v.part[i] != other.part[i] {
			if v.part[i] < other.part[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

func (c constraint) holds(have version) bool {
	d := have.compare(c.want)
	switch c.op {
	case ">=":
		return d >= 0
	case "<=":
		return d <= 0
	case ">":
		return d > 0
	case "<":
		return d < 0
	case "!=":
		return d != 0
	case "~>": // only the last part written may be higher
		for i := range max(1, c.want.written-1) {
			if have.part[i] != c.want.part[i] {
				return false
			}
		}
		return d >= 0
	default:
		return d == 0
	}
}
