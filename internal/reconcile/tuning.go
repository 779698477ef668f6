package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// tuning is the sysctl half of a plan.
type tuning struct {
	settings []sysctl.Setting
	states   []sysctl.State // of the declared and the journaled keys, sorted by key
	steps    []sysctl.Step  // those that restore, then those that set
	restored map[string]bool
	leave    []string      // keys whose originals are no longer needed once all is done
	notes    []sysctl.Note // what was skipped and why
	warnings []sysctl.Note // what of the declaration does not fit the host
	rules    bool          // the apply leaves rules in force, which load conntrack
	journal  *sysctl.Journal
}

// tune compares the declared settings, and the journaled originals of those no longer declared, with what is in force.
func (r *Reconciler) tune(g goal, epoch string, rules bool) (*tuning, error) {
	t := &tuning{restored: map[string]bool{}, rules: rules}
	var err error
	if t.journal, err = sysctl.Open(r.store.dir, epoch); err != nil {
		if g.keepSysctl { // what cannot be read need not be: it is going to be forgotten
			t.notes = append(t.notes, sysctl.Note{Text: err.Error()})
			return t, nil
		}
		return nil, err
	}
	if g.bundle != nil {
		facts, err := r.observer.Facts()
		if err != nil {
			return nil, err
		}
		t.settings, t.warnings = sysctl.Resolve(g.bundle, facts)
	}
	keys := slices.Concat(sysctl.Keys(t.settings), t.journal.Keys())
	slices.Sort(keys)
	if t.states, err = r.settings.Read(slices.Compact(keys)); err != nil {
		return nil, permission(err)
	}
	if g.keepSysctl {
		t.leave = t.journal.Keys()
		return t, nil
	}
	return t, t.compare(r)
}

// compare fills in the steps.
func (t *tuning) compare(r *Reconciler) error {
	steps, notes, err := sysctl.Diff(t.settings, t.states, r.sysctlOptions(t.rules))
	if err != nil {
		return err
	}
	t.notes = append(t.notes, notes...)
	back := t.journal.Restore(t.settings, t.states)
	t.notes = append(t.notes, back.Notes...)
	t.leave = back.Forget
	for _, s := range back.Steps {
		t.restored[s.Key] = true
	}
	t.steps, err = r.settings.WithFollowers(slices.Concat(back.Steps, steps))
	if err != nil {
		return permission(err)
	}
	// A restoring step already knows what its followers held originally, which is what they go back to.
	copy(t.steps, back.Steps)
	return nil
}

func (r *Reconciler) sysctlOptions(rules bool) sysctl.Options {
	o := sysctl.Options{Namespaced: r.options.Namespace != "" && !r.options.hostKeys}
	if rules {
		o.Loading = sysctl.ConntrackModule
	}
	return o
}

// arrive adds the steps for keys that were missing when the plan was made and that the committed rules brought: a
// kernel that has conntrack as a module shows its settings only now.
func (t *tuning) arrive(r *Reconciler) error {
	var late []sysctl.Setting
	for _, s := range t.settings {
		i := slices.IndexFunc(t.states, func(x sysctl.State) bool { return x.Key == s.Key })
		if e, known := sysctl.Lookup(s.Key); known && e.Module == sysctl.ConntrackModule && i >= 0 && t.states[i].Missing {
			late = append(late, s)
		}
	}
	if len(late) == 0 {
		return nil
	}
	states, err := r.settings.Read(sysctl.Keys(late))
	if err != nil {
		return permission(err)
	}
	steps, _, err := sysctl.Diff(late, states, r.sysctlOptions(false))
	if err != nil {
		return err
	}
	steps, err = r.settings.WithFollowers(steps)
	t.steps = append(t.steps, steps...)
	return permission(err)
}

// changes tells the steps.
func (t *tuning) changes(w *work) []Change {
	changes := make([]Change, 0, len(t.steps))
	for _, s := range t.steps {
		change := Change{
			Address: sysctlAddress(s), Kind: KindSysctl,
			Before: value(s.Before), After: value(s.After), Range: s.Setting.Range,
		}
		switch {
		case w.goal.bundle == nil:
			change.Action, change.Reason = ActionDelete, "what was found before comes back"
		case t.restored[s.Key]:
			change.Action, change.Reason = ActionDelete, "no longer declared: what was found before comes back"
		default:
			change.Action, change.Reason = why(s, w)
		}
		changes = append(changes, change)
	}
	return changes
}

// why tells a changed declaration from a value that somebody else changed.
func why(s sysctl.Step, w *work) (Action, string) {
	reason := "declared"
	if s.Setting.Bound != policy.Exact {
		reason = fmt.Sprintf("%s %s", s.Setting.Bound, sysctl.Join(s.Setting.Want))
	}
	if s.Setting.Reason != "" {
		reason = s.Setting.Reason
	}
	if w.found == nil || w.pending != nil {
		return ActionUpdate, reason
	}
	old, known := w.found.Resources[sysctlAddress(s)]
	if !known || old.Hash != settingHash(s.Setting) {
		return ActionUpdate, reason
	}
	if w.found.Epoch != w.epoch {
		return ActionRepair, "not in force since a restart: will be put back"
	}
	return ActionRepair, "changed outside tcpguard: will be put back"
}

// record notes what is declared.
func (t *tuning) record(a *applied) {
	for _, s := range t.settings {
		a.Resources[sysctlKeyAddress(s.Key)] = record{
			Kind:       KindSysctl,
			Attributes: Attributes{{Name: string(s.Bound), Value: sysctl.Join(s.Want)}},
			Hash:       settingHash(s),
		}
	}
}

// forget drops originals that are no longer needed, and takes over what the settings say about their removal.
func (t *tuning) forget() error {
	if t.journal == nil {
		return nil
	}
	return errors.Join(t.journal.Forget(t.leave...), t.journal.Declare(t.settings))
}

// unsettled gives what is not as it should be after the steps.
func (t *tuning) unsettled(states []sysctl.State) []Difference {
	have := map[string]sysctl.State{}
	for _, s := range states {
		have[s.Key] = s
	}
	var out []Difference
	for _, s := range t.steps {
		bound := s.Setting.Bound
		if t.restored[s.Key] {
			bound = policy.Exact
		}
		now := have[s.Key]
		if !now.Missing && sysctl.Satisfies(s.Key, bound, s.After, now.Value) {
			continue
		}
		kind := "changed"
		if now.Missing {
			kind = "missing"
		}
		out = append(out, Difference{
			Address: sysctlAddress(s), Object: s.Key, Kind: kind, Want: sysctl.Join(s.After),
			Got: sysctl.Join(now.Value), Range: s.Setting.Range,
		})
	}
	return out
}

// value is how a sysctl's value appears in a change.
func value(fields []string) Attributes {
	return Attributes{{Name: "value", Value: sysctl.Join(fields)}}
}

// settingHash is eight hex digits that change with what is declared.
func settingHash(s sysctl.Setting) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %q", s.Key, s.Bound, s.Want))
	return hex.EncodeToString(sum[:4])
}
