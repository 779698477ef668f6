package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// goal is what a plan is to bring about.
type goal struct {
	bundle     *policy.Bundle // nil: destroy
	keepSysctl bool
}

// work is the part of a plan that is committed and checked.
type work struct {
	goal    goal
	actual  *enforcer.Ruleset // as read, for putting back
	desired *enforcer.Ruleset
	delta   *enforcer.Delta
	tuning  *tuning
	record  *applied          // what is to be recorded; nil for a destroy
	found   *applied          // what was recorded
	pending *pending          // what an interrupted run left
	epoch   string            // the boot and the network namespace
	lost    []marked          // what a rollback could not bring back
	objects map[string]string // what each address is compiled to
}

// Plan says what an apply of the bundle would change, and why. It changes nothing and takes no lock.
//
// Errors beyond those of reading: *enforcer.CompileError and *sysctl.SettingError for what cannot be done here,
// *ErrPermission, *ErrFeature.
func (r *Reconciler) Plan(ctx context.Context, b *policy.Bundle) (*Plan, error) {
	return r.plan(ctx, goal{bundle: b})
}

// PlanDestroy says what a destroy would remove and restore. It needs no policy files.
func (r *Reconciler) PlanDestroy(ctx context.Context, keepSysctl bool) (*Plan, error) {
	return r.plan(ctx, goal{keepSysctl: keepSysctl})
}

// plan reads everything and compares it with the goal.
func (r *Reconciler) plan(ctx context.Context, g goal) (*Plan, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &work{goal: g, desired: &enforcer.Ruleset{}}
	plan := &Plan{
		FormatVersion: FormatVersion, Namespace: NamespaceDir(r.options.Namespace), Destroy: g.bundle == nil,
		KeepSysctl: g.keepSysctl, Created: r.now().UTC(), work: w,
	}
	if err := r.loadRecords(plan); err != nil {
		return nil, err
	}
	if g.bundle != nil {
		plan.PolicyHash = PolicyHash(g.bundle)
		var err error
		if w.desired, err = enforcer.Compile(g.bundle); err != nil {
			return nil, err
		}
	}
	if err := r.kernel.Normalize(w.desired); err != nil {
		return nil, fmt.Errorf("encode rules: %w", err)
	}
	var err error
	if w.actual, plan.Generation, err = r.kernel.Read(); err != nil {
		return nil, &StepError{Step: "read nftables", Err: err}
	}
	w.delta = enforcer.Diff(w.actual, w.desired, r.contents())
	if w.epoch, err = r.observer.Epoch(); err != nil {
		return nil, err
	}
	if w.tuning, err = r.tune(g, w.epoch, w.desired.Exists); err != nil {
		return nil, err
	}
	r.describe(plan)
	if g.bundle != nil {
		r.warn(ctx, plan)
	}
	return plan, nil
}

// loadRecords reads what earlier runs left. A destroy must work whatever became of them, so to it a damaged record is
// as good as none.
func (r *Reconciler) loadRecords(plan *Plan) error {
	w := plan.work
	var err error
	if w.found, err = r.store.loadApplied(); err != nil {
		if !plan.Destroy {
			return err
		}
		plan.Notes = append(plan.Notes, err.Error())
	}
	if w.pending, err = r.store.loadPending(); err != nil {
		if !plan.Destroy {
			return err
		}
		plan.Notes = append(plan.Notes, err.Error())
	}
	return nil
}

// describe fills in what a person reads, and the hash of the state that it was made against.
func (r *Reconciler) describe(plan *Plan) {
	w := plan.work
	w.objects = objectDigests(w.desired)
	c := classifier{
		desired: w.desired, drift: groupDrift(w.delta.Drift), kernel: kernelAddresses(w.actual), record: w.found,
		pending: w.pending, version: r.options.Version, destroy: plan.Destroy,
		objects: w.objects,
	}
	plan.Changes = append(c.nftables(), w.tuning.changes(w)...)
	slices.SortStableFunc(plan.Changes, func(a, b Change) int { return strings.Compare(a.Address, b.Address) })
	if len(plan.Changes) == 0 && !w.delta.Transaction.Empty() {
		// Never commit what was not shown.
		plan.Changes = []Change{{Address: foreignAddress, Kind: KindNFTables, Action: ActionRepair, Reason: "differs from what is declared"}}
	}
	if !plan.Destroy {
		w.lost = r.contents().lost(w.actual, w.delta.Transaction)
		noteLost(plan.Changes, w.lost)
	}
	plan.Summary = summarize(plan.Changes)
	plan.StateHash = stateHash(w.actual, w.tuning.states)
	plan.Notes = append(plan.Notes, r.circumstances(plan)...)
	for _, n := range w.tuning.notes {
		plan.Notes = append(plan.Notes, n.Text)
	}
	if w.goal.bundle != nil {
		w.record = r.newRecord(plan)
	}
}

// circumstances tells what a person should know of how the plan came about.
func (r *Reconciler) circumstances(plan *Plan) []string {
	w := plan.work
	var notes []string
	if w.pending != nil {
		notes = append(notes, w.pending.describe()+": "+plan.ending())
	}
	if plan.Destroy || plan.Empty() {
		return notes
	}
	notes = append(notes, w.cutting()...)
	switch {
	case w.found == nil && w.actual.Exists && w.pending == nil:
		notes = append(notes, fmt.Sprintf("no record of an earlier apply in %s: changes are told apart by the kernel's rule comments",
			r.store.dir))
	case w.found != nil && !w.actual.Exists && w.desired.Exists && recordsRules(w.found):
		notes = append(notes, "table inet tcpguard is gone from the kernel since the apply of "+
			w.found.Time.Format("2006-01-02T15:04:05Z07:00")+w.sinceReboot())
	}
	return notes
}

// ending says what this plan does about what an interrupted run left.
func (p *Plan) ending() string {
	if p.Destroy {
		return "this destroy removes what it left"
	}
	return "this apply finishes what it left"
}

// sinceReboot explains a table that is gone by a network namespace that is another one than the recorded.
func (w *work) sinceReboot() string {
	if w.found.Epoch == w.epoch {
		return ""
	}
	return " (the host was restarted, or the network namespace made anew)"
}

// recordsRules says whether a record names anything that lives in nftables.
func recordsRules(a *applied) bool {
	for _, x := range a.Resources {
		if x.Kind == KindNFTables {
			return true
		}
	}
	return false
}

// groupDrift collects the differences of each address.
func groupDrift(found []enforcer.Drift) map[string]*drift {
	out := map[string]*drift{}
	for _, f := range found {
		address := f.Address
		if address == "" {
			address = foreignAddress
		}
		d := out[address]
		if d == nil {
			d = &drift{}
			out[address] = d
		}
		switch f.Kind {
		case enforcer.DriftMissing:
			d.missing = append(d.missing, f.Objects...)
		case enforcer.DriftExtra:
			d.extra = append(d.extra, f.Objects...)
		default:
			d.changed = append(d.changed, f.Objects...)
		}
	}
	return out
}

// stateHash is a digest of what a plan was made against, without live counts.
func stateHash(r *enforcer.Ruleset, states []sysctl.State) string {
	h := sha256.New()
	rulesetHash(h, r)
	for _, s := range states {
		fmt.Fprintf(h, "%s %q %v\x00", s.Key, s.Value, s.Missing)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// newRecord is what will be recorded once the plan is applied.
func (r *Reconciler) newRecord(plan *Plan) *applied {
	w := plan.work
	a := &applied{
		FormatVersion: FormatVersion, Version: r.options.Version, PolicyHash: plan.PolicyHash, Epoch: w.epoch,
		Time: r.now().UTC(), Resources: map[string]record{},
	}
	for _, x := range w.desired.Resources {
		a.Resources[x.Address] = record{
			Kind: KindNFTables, Attributes: attributesOf(x), Hash: x.Hash(), Objects: w.objects[x.Address],
		}
	}
	w.tuning.record(a)
	return a
}
