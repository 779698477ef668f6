package sysctl

import (
	"errors"
	"fmt"

	"github.com/tcpguard/tcpguard/policy"
)

// Options says where settings are applied.
type Options struct {
	// Namespaced is set when the work is on another network namespace than the initial one: keys that belong to the
	// whole host are then skipped with a note, because writing them would change every namespace.
	Namespaced bool
	// Loading names a module that is about to be loaded. Its keys may be missing for now: that gets a note, and they are
	// to be compared again when they are there.
	Loading string
}

// SettingError says why a setting cannot be applied here.
type SettingError struct {
	Address string
	Range   policy.Range
	Text    string
}

// Error is "FILE:LINE: ADDRESS: what is wrong"; the place is left out where there is none.
func (e *SettingError) Error() string {
	if place := e.Range.String(); place != "" {
		return place + ": " + e.Address + ": " + e.Text
	}
	return e.Address + ": " + e.Text
}

// Keys are the keys of settings, in their order.
func Keys(settings []Setting) []string {
	keys := make([]string, len(settings))
	for i, s := range settings {
		keys[i] = s.Key
	}
	return keys
}

// Diff compares settings with the states of their keys and gives the writes that are needed, in the order in which they
// are to be applied (see Order). Values within their bound need none. Notes tell what is skipped and why. The error
// joins one *SettingError for each setting that cannot be applied; the steps of the others are still returned.
func Diff(settings []Setting, states []State, opt Options) ([]Step, []Note, error) {
	have := make(map[string]State, len(states))
	for _, s := range states {
		have[s.Key] = s
	}
	var steps []Step
	var notes []Note
	var errs []error
	for _, s := range settings {
		state, known := have[s.Key]
		if !known {
			errs = append(errs, &SettingError{Address: s.Address, Range: s.Range, Text: "its state was not read"})
			continue
		}
		step, skip, err := diffOne(s, state, opt)
		switch {
		case err != "":
			errs = append(errs, &SettingError{Address: s.Address, Range: s.Range, Text: err})
		case skip != "":
			notes = append(notes, Note{Address: s.Address, Key: s.Key, Text: skip, Range: s.Range})
		case step != nil:
			steps = append(steps, *step)
		}
	}
	return Order(steps), notes, errors.Join(errs...)
}

// diffOne decides about one setting: a step, a reason to skip it, what is wrong with it, or nothing to do.
func diffOne(s Setting, state State, opt Options) (step *Step, skip, wrong string) {
	if opt.Namespaced && HostWide(s.Key) {
		return nil, s.Key + " belongs to the whole host: skipped in a network namespace", ""
	}
	if state.Missing && opt.Loading != "" && module(s.Key) == opt.Loading {
		return nil, s.Key + " appears when the module " + opt.Loading + " is loaded, which the rules bring about: it is set then", ""
	}
	if state.Missing {
		if s.OnMissing == policy.MissingSkip {
			return nil, s.Key + " is missing here" + missingHint(s.Key) + ": skipped", ""
		}
		return nil, "", "this kernel or network namespace has no " + s.Key + missingHint(s.Key)
	}
	if Satisfies(s.Key, s.Bound, s.Want, state.Value) {
		return nil, "", ""
	}
	if state.ReadOnly {
		text := fmt.Sprintf("%s holds %s and cannot be written here%s", s.Key, quote(state.Value), readOnlyHint(s.Key))
		if s.Reason != "" || s.OnMissing == policy.MissingSkip {
			return nil, text + ": skipped", ""
		}
		return nil, "", text
	}
	if s.Bound != policy.Exact && len(s.Want) != len(state.Value) {
		return nil, "", fmt.Sprintf("%s has %d fields (%s), %d given", s.Key, len(state.Value), quote(state.Value), len(s.Want))
	}
	after := target(s.Bound, s.Want, state.Value)
	return &Step{Key: s.Key, Before: state.Value, After: after, Setting: s}, "", ""
}

// module is what has to be loaded for the key to exist, as far as the catalog knows.
func module(key string) string {
	e, _ := Lookup(key)
	return e.Module
}

// missingHint says why a catalogued key may be missing.
func missingHint(key string) string {
	e, ok := Lookup(key)
	switch {
	case !ok:
		return ""
	case e.Until != "":
		return " (it was there up to Linux " + e.Until + ")"
	case e.Since != "":
		return " (it came with Linux " + e.Since + ")"
	case e.Module != "":
		return " (it appears when the module " + e.Module + " is loaded)"
	}
	return ""
}

// readOnlyHint says why a catalogued key may be read-only.
func readOnlyHint(key string) string {
	e, ok := Lookup(key)
	switch {
	case ok && e.Scope == ReadOnlyInChild:
		return ": it belongs to the initial network namespace"
	case ok && e.ReadOnly:
		return ": it only shows a value"
	}
	return ""
}
