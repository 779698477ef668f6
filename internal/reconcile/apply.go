package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/tcpguard/tcpguard/internal/fault"
	"github.com/tcpguard/tcpguard/policy"
)

// maxAttempts bounds how often an apply reads again because another program changed nftables in between: with the
// backoff below, about three seconds.
const maxAttempts = 8

// Apply makes the host hold what the bundle declares: one nftables transaction, then the sysctls, then everything is
// read back. When a step fails, what was written is put back.
//
// Errors: those of Plan; *ErrRefused when the lock is held, the approved plan is no longer the right one or other
// programs keep changing nftables; *ErrRolledBack; *ErrRollbackFailed. The Report is nil only when nothing was begun.
func (r *Reconciler) Apply(ctx context.Context, b *policy.Bundle, o ApplyOptions) (*Report, error) {
	return r.run(ctx, goal{bundle: b}, o)
}

// run is one apply or destroy under the lock.
func (r *Reconciler) run(ctx context.Context, g goal, o ApplyOptions) (report *Report, err error) {
	began := r.now()
	l, err := acquireLock(ctx, r.lockPath, o.LockTimeout, r.now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	fault.Point(fault.AfterLock)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	report = &Report{FormatVersion: FormatVersion}
	defer func() { report.Duration = r.now().Sub(began) }()
	for report.Attempts = 1; ; report.Attempts++ {
		if err := r.attempt(ctx, g, o, report); !isStale(err) {
			return report, err
		}
		if report.Attempts == maxAttempts {
			return report, refused("other programs changed nftables %d times while this plan was being applied: "+
				"nothing was changed, run again", maxAttempts)
		}
		if err := r.pause(ctx, report.Attempts); err != nil {
			return report, err
		}
	}
}

// attempt plans against the state of this moment and applies. A *StaleError says that nothing was done.
func (r *Reconciler) attempt(ctx context.Context, g goal, o ApplyOptions, report *Report) error {
	o.Progress("read")
	plan, err := r.plan(ctx, g)
	if err != nil {
		return err
	}
	report.Plan = plan
	if err := approved(plan, o.Approved); err != nil {
		return err
	}
	fault.Point(fault.AfterPlan)
	if plan.work.pending != nil {
		report.Recovered = plan.work.pending.describe() + ": " + plan.ending()
	}
	if plan.work.nothing() {
		report.Outcome, report.Verified = OutcomeUnchanged, true
		return r.settle(plan)
	}
	// From here on the apply comes to its end, whatever the caller wants by then.
	if err := ctx.Err(); err != nil {
		return err
	}
	if plan.Destroy {
		return r.dismantle(plan, o, report)
	}
	return r.bring(plan, o, report)
}

// bring commits a plan that applies a policy.
func (r *Reconciler) bring(plan *Plan, o ApplyOptions, report *Report) error {
	kept, err := r.prepare(plan)
	if err != nil {
		return err
	}
	t := &transit{r: r, plan: plan, report: report, kept: kept}
	o.Progress("commit")
	if tx := plan.work.delta.Transaction; !tx.Empty() {
		if err := r.kernel.Commit(tx, plan.Generation); err != nil {
			return t.notCommitted(err)
		}
	}
	fault.Point(fault.AfterCommit)
	if err := t.tune(o.Progress); err != nil {
		return t.rollBack(err)
	}
	o.Progress("verify")
	if err := t.verify(); err != nil {
		return t.rollBack(err)
	}
	fault.Point(fault.AfterVerify)
	report.finish(plan)
	return r.settle(plan)
}

// finish notes that everything planned is in force and was read back.
func (r *Report) finish(plan *Plan) {
	r.Outcome, r.Verified, r.Applied = OutcomeApplied, true, addresses(plan.Changes)
}

// nothing says that neither the kernel nor the sysctls would change.
func (w *work) nothing() bool { return w.delta.Transaction.Empty() && len(w.tuning.steps) == 0 }

// approved refuses a plan that is about another policy or another state than the one that was approved.
func approved(plan, approved *Plan) error {
	switch {
	case approved == nil:
		return nil
	case approved.Namespace != plan.Namespace:
		return refused("the approved plan is for the network namespace %s, this is %s", approved.Namespace, plan.Namespace)
	case approved.Destroy != plan.Destroy || approved.KeepSysctl != plan.KeepSysctl:
		return refused("the approved plan is not of the same kind: one destroys, the other does not")
	case approved.PolicyHash != plan.PolicyHash:
		return refused("the policy changed since the plan was made: make the plan again")
	case approved.StateHash != plan.StateHash:
		return refused("the host changed since the plan was made (now: %s): make the plan again", tally(plan.Summary))
	}
	return nil
}

// tally words a summary.
func tally(s Summary) string {
	return fmt.Sprintf("%d to add, %d to change, %d to remove, %d to repair", s.Add, s.Change, s.Remove, s.Repair)
}

// prepare writes what must be on disk before the kernel is touched. It returns the list contents it added.
func (r *Reconciler) prepare(plan *Plan) (kept []string, err error) {
	if err := r.store.prepare(); err != nil {
		return nil, err
	}
	if err := r.savePending(plan); err != nil {
		return nil, fmt.Errorf("nothing was changed: %w", err)
	}
	fault.Point(fault.AfterPending)
	kept, err = r.contents().keep(plan.work.desired)
	if err != nil {
		t := &transit{r: r, plan: plan, kept: kept}
		return nil, errors.Join(fmt.Errorf("nothing was changed: %w", err), t.clean())
	}
	fault.Point(fault.AfterContents)
	return kept, nil
}

// savePending journals that the plan is under way.
func (r *Reconciler) savePending(plan *Plan) error {
	return r.store.save(pendingFile, pending{
		FormatVersion: FormatVersion, Version: r.options.Version, PID: os.Getpid(), Started: r.now().UTC(),
		Destroy: plan.Destroy, PolicyHash: plan.PolicyHash,
	})
}

// settle records what is in force and drops what is no longer needed. It also runs when there was nothing to do,
// because an interrupted run may have got everything done but this.
func (r *Reconciler) settle(plan *Plan) error {
	w := plan.work
	if w.record == nil {
		return r.forgetAll()
	}
	if w.found.same(w.record) && w.pending == nil && w.nothing() {
		return nil
	}
	if err := r.store.prepare(); err != nil {
		return err
	}
	// Also when nothing was committed: without its contents a list's next change would replace it whole.
	if _, err := r.contents().keep(w.desired); err != nil {
		return fmt.Errorf("applied, and not recorded: %w", err)
	}
	if err := r.store.save(appliedFile, w.record); err != nil {
		return fmt.Errorf("applied, and not recorded: %w", err)
	}
	fault.Point(fault.AfterApplied)
	if err := w.tuning.forget(); err != nil {
		return err
	}
	if err := r.store.remove(pendingFile); err != nil {
		return err
	}
	fault.Point(fault.AfterPendingGone)
	return r.contents().drop(w.desired)
}

// backoff waits before the next reading: 20 ms doubling to at most a second, half of it by chance, so that two
// programs that disturb each other stop doing so.
func backoff(ctx context.Context, attempt int) error {
	d := min(20*time.Millisecond<<min(attempt, 6), time.Second)
	return wait(ctx, d/2+rand.N(d/2))
}

// addresses gives the sorted addresses of changes.
func addresses(changes []Change) []string {
	out := make([]string, 0, len(changes))
	for _, c := range changes {
		out = append(out, c.Address)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
