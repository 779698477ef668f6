package sysctl

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tcpguard/tcpguard/policy"
)

// Restoration is how journaled keys go back to what was found.
type Restoration struct {
	Steps  []Step   // writes, in the order in which they are to be applied
	Forget []string // keys to drop from the journal once the steps are applied: those of the steps, and those that need none
	Notes  []Note
}

// Restore plans the way back for every journaled key that settings no longer declare; with no settings, as for destroy,
// for all of them. States are those of Keys. A key with on_remove "keep" is only forgotten, and so is one that is gone,
// or that holds a value of its own since a reboot.
func (j *Journal) Restore(settings []Setting, states []State) Restoration {
	declared := map[string]bool{}
	for _, s := range settings {
		declared[s.Key] = true
	}
	have := map[string]State{}
	for _, s := range states {
		have[s.Key] = s
	}
	var r Restoration
	for _, key := range j.Keys() {
		o := j.keys[key]
		state, read := have[key]
		if declared[key] || o.Follows != "" && declared[o.Follows] || !read {
			continue
		}
		r.add(key, o, state, j.epoch)
	}
	r.Steps = restoreOrder(j.attach(r.Steps))
	return r
}

// attach hangs every follower's original on the step of the key it follows, because that step will overwrite it,
// whatever it holds now.
func (j *Journal) attach(steps []Step) []Step {
	at := map[string]int{}
	for i, s := range steps {
		at[s.Key] = i
	}
	for _, key := range j.Keys() {
		o := j.keys[key]
		if i, ok := at[o.Follows]; ok && o.Follows != "" {
			steps[i].Follow = append(steps[i].Follow, State{Key: key, Value: o.Value})
		}
	}
	return slices.DeleteFunc(steps, func(s Step) bool {
		_, led := at[j.keys[s.Key].Follows]
		return led && j.keys[s.Key].Follows != ""
	})
}

// add decides about one key.
func (r *Restoration) add(key string, o Original, state State, epoch string) {
	address := policy.Sysctl{Key: key}.Address()
	note := func(format string, args ...any) {
		r.Notes = append(r.Notes, Note{Address: address, Key: key, Text: fmt.Sprintf(format, args...)})
	}
	r.Forget = append(r.Forget, key)
	ours := Equal(key, state.Value, o.Applied)
	switch {
	case o.OnRemove == policy.RemoveKeep:
		note("%s keeps %s, as on_remove asks", key, quote(state.Value))
	case state.Missing:
		note("%s is gone: nothing to restore", key)
	case Equal(key, state.Value, o.Value):
	case o.Epoch != epoch && !ours:
		note("%s holds %s since a reboot: left alone", key, quote(state.Value))
	default:
		if !ours && o.Follows == "" {
			note("%s holds %s, which somebody else wrote: it goes back to %s all the same", key, quote(state.Value), quote(o.Value))
		}
		r.Steps = append(r.Steps, Step{Key: key, Before: state.Value, After: o.Value})
	}
}

// restoreOrder is the reverse of the order of applying, so that what was written last goes back first; only keys that
// make the kernel write others go first again, or they would overwrite what was just restored.
func restoreOrder(steps []Step) []Step {
	// Ordering the steps as if they had been applied, and turning that round, keeps pairs that bound each other legal.
	applied := make([]Step, len(steps))
	byKey := make(map[string]Step, len(steps))
	for i, s := range steps {
		applied[i] = s.Undo()
		byKey[s.Key] = s
	}
	back := make([]Step, 0, len(steps))
	for _, s := range slices.Backward(Order(applied)) {
		back = append(back, byKey[s.Key])
	}
	slices.SortStableFunc(back, func(a, b Step) int { return cmp.Compare(follower(a.Key), follower(b.Key)) })
	return back
}

// follower is 0 for keys that lead others and 1 for the rest.
func follower(key string) int {
	if leads(key) {
		return 0
	}
	return 1
}
