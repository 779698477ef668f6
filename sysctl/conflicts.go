package sysctl

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// Conflict is a line of sysctl.d that sets a managed key to something that tcpguard would change again.
type Conflict struct {
	Setting Setting
	Value   []string // what the line sets
	File    string   // as seen below the root: /etc/sysctl.d/99-local.conf
	Line    int      // from 1
}

// String says which line is in the way of what.
func (c Conflict) String() string {
	want := quote(c.Setting.Want)
	if c.Setting.Bound != policy.Exact {
		want = string(c.Setting.Bound) + " " + want
	}
	return fmt.Sprintf("%s sets %s = %s at every boot, declared is %s", c.place(), c.Setting.Key, quote(c.Value), want)
}

func (c Conflict) place() string { return fmt.Sprintf("%s:%d", c.File, c.Line) }

// Conflicts finds the sysctl.d lines below root that fight with settings, in the order of settings. Only the line that
// wins for a key counts. The error is that of LoadDropins; conflicts found in spite of it are returned.
func Conflicts(settings []Setting, root string) ([]Conflict, error) {
	dropins, err := LoadDropins(root)
	var found []Conflict
	for _, s := range settings {
		line, ok := dropins.winner(s.Key)
		if !ok {
			continue
		}
		value := line.fields()
		if !Satisfies(s.Key, s.Bound, s.Want, value) {
			found = append(found, Conflict{Setting: s, Value: value, File: line.file, Line: line.line})
		}
	}
	return found, err
}

// fields are what the kernel takes from the line's value. The format has no comments after a value, but the kernel stops
// reading numbers there, so people write them.
func (d dropin) fields() []string {
	fields := Fields(d.value)
	if i := slices.IndexFunc(fields, func(f string) bool { return f[0] == '#' }); i >= 0 {
		fields = fields[:i]
	}
	return fields
}

// winner is the line that decides about a key: the one that names it, or else the last glob that matches. A key that is
// named, even without a value, is never set by a glob.
func (d Dropins) winner(key string) (dropin, bool) {
	parts, err := components(key)
	if err != nil {
		return dropin{}, false
	}
	want := strings.Join(parts, "/")
	var last dropin
	found := false
	for _, line := range d.lines {
		if line.path == want {
			return line, !line.excluded
		}
		if !line.excluded && isGlob(line.path) && globMatches(line.path, want) {
			last, found = line, true
		}
	}
	return last, found
}

func isGlob(p string) bool { return strings.ContainsAny(p, "*?[") }

// globMatches matches as glob(3) with GLOB_BRACE: "*" and "?" stop at a slash.
func globMatches(glob, name string) bool {
	if before, alternatives, after, ok := cutBraces(glob); ok {
		for _, a := range alternatives {
			if globMatches(before+a+after, name) {
				return true
			}
		}
		return false
	}
	ok, err := path.Match(strings.ReplaceAll(glob, "[!", "[^"), name)
	return err == nil && ok
}

// maxAlternatives bounds the work a line of braces can cause.
const maxAlternatives = 16

// cutBraces splits "a{b,c}d" at its first pair of braces without others inside.
func cutBraces(glob string) (before string, alternatives []string, after string, ok bool) {
	end := strings.IndexByte(glob, '}')
	if end < 0 {
		return "", nil, "", false
	}
	start := strings.LastIndexByte(glob[:end], '{')
	if start < 0 {
		return "", nil, "", false
	}
	alternatives = strings.Split(glob[start+1:end], ",")
	if len(alternatives) > maxAlternatives || strings.Count(glob, "{") > 3 {
		return "", nil, "", false
	}
	return glob[:start], alternatives, glob[end+1:], true
}
