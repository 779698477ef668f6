package sysctl

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// Resolve gives the settings that a bundle asks for, sorted by key: those declared, those derived from its
// capacity, and those its syn_flood blocks need. A declared value wins over a derived one of the same key. The notes warn
// where it is too small for the declared load or keeps a protection from working, and where the load does not fit the
// host.
func Resolve(b *policy.Bundle, facts policy.Facts) ([]Setting, []Note) {
	settings := make([]Setting, 0, len(b.Sysctls))
	var notes []Note
	for _, s := range b.Sysctls {
		d := declared(s)
		if i := slices.IndexFunc(settings, func(o Setting) bool { return o.Key == d.Key }); i >= 0 {
			text := fmt.Sprintf("%s is declared twice, as an interface's dot is written in two ways%s: the first holds", d.Key, at(settings[i].Range))
			notes = append(notes, Note{Address: d.Address, Key: d.Key, Text: text, Range: d.Range})
			continue
		}
		settings = append(settings, d)
	}
	if b.Capacity != nil {
		derived, warnings := Derive(*b.Capacity, facts, os.Getpagesize())
		notes = append(notes, warnings...)
		for _, d := range derived {
			i := slices.IndexFunc(settings, func(s Setting) bool { return s.Key == d.Key })
			if i < 0 {
				settings = append(settings, d)
				continue
			}
			merged, warning := merge(settings[i], d)
			settings[i] = merged
			if warning != nil {
				notes = append(notes, *warning)
			}
		}
	}
	for _, d := range Protections(b.Policies) {
		i := slices.IndexFunc(settings, func(s Setting) bool { return s.Key == d.Key })
		if i < 0 {
			settings = append(settings, d)
		} else if warning := mergeNeed(settings[i], d); warning != nil {
			notes = append(notes, *warning)
		}
	}
	slices.SortFunc(settings, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
	return settings, notes
}

// declared turns what the language says into a setting. Keys are brought into normal form once more, because everything
// here compares them as text.
func declared(s policy.Sysctl) Setting {
	key := s.Key
	if normal, err := ParseKey(key); err == nil {
		key = normal
	}
	return Setting{
		Key: key, Want: s.Want, Bound: s.Bound, OnMissing: s.OnMissing, OnRemove: s.OnRemove,
		Address: policy.Sysctl{Key: key}.Address(), Range: s.Range,
	}
}

// merge decides between a declared and a derived setting of one key. Two floors give the higher one. A value or a
// ceiling is somebody's decision and holds; when it is too small for the load, it is named together with what the load
// needs.
func merge(own, derived Setting) (Setting, *Note) {
	if own.Bound == policy.AtLeast {
		higher := target(policy.AtLeast, derived.Want, own.Want)
		if !Equal(own.Key, higher, own.Want) {
			own.Want, own.Reason = higher, derived.Reason
		}
		return own, nil
	}
	if own.Bound == policy.Exact && Satisfies(own.Key, policy.AtLeast, derived.Want, own.Want) {
		return own, nil
	}
	what := quote(own.Want)
	if own.Bound == policy.AtMost {
		what = "at most " + what // a setting has one bound, so the floor of the load is not applied
	}
	text := fmt.Sprintf("%s is declared as %s, capacity%s needs at least %s (%s): only what is declared holds",
		own.Key, what, at(derived.Range), quote(derived.Want), derived.Reason)
	return own, &Note{Address: own.Address, Key: own.Key, Text: text, Range: own.Range}
}

// at prints a place in brackets, or nothing.
func at(r policy.Range) string {
	if place := r.String(); place != "" {
		return " (" + place + ")"
	}
	return ""
}
