package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tcpguard/tcpguard/internal/fault"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// Destroy removes the table, with whatever anybody put into it, restores the journaled sysctls and forgets what was
// applied. It needs no policy files, and it is no error when there is nothing to remove.
//
// A sysctl that cannot be restored does not stop the others; its original stays journaled, so that a later destroy can
// restore it. Errors are those of Apply except for rolling back: what a destroy has removed stays removed.
func (r *Reconciler) Destroy(ctx context.Context, o DestroyOptions) (*Report, error) {
	return r.run(ctx, goal{keepSysctl: o.KeepSysctl},
		ApplyOptions{Approved: o.Approved, LockTimeout: o.LockTimeout, Progress: o.Progress})
}

// dismantle commits a plan that destroys.
func (r *Reconciler) dismantle(plan *Plan, o ApplyOptions, report *Report) error {
	w := plan.work
	if err := r.announce(plan); err != nil {
		return err
	}
	o.Progress("commit")
	if tx := w.delta.Transaction; !tx.Empty() {
		if err := r.kernel.Commit(tx, plan.Generation); err != nil {
			return r.notDismantled(plan, err)
		}
	}
	fault.Point(fault.AfterDestroyTable)
	if err := r.restoreSysctls(w.tuning, o.Progress); err != nil {
		return err
	}
	fault.Point(fault.AfterDestroySysctl)
	o.Progress("verify")
	t := &transit{r: r, plan: plan, report: report}
	if err := t.verify(); err != nil {
		return err
	}
	report.finish(plan)
	return r.forgetAll()
}

// notDismantled takes the pending journal back when the kernel refused: nothing is under way then. An error that came
// after the commit leaves it, for the next destroy to finish.
func (r *Reconciler) notDismantled(plan *Plan, failed error) error {
	t := &transit{r: r, plan: plan}
	if isStale(failed) {
		return errors.Join(failed, t.clean())
	}
	if same, err := t.unchanged(); err == nil && same {
		return errors.Join(place(plan, failed), t.clean())
	}
	return place(plan, failed)
}

// announce writes the pending journal. A full disk must not keep anybody from removing the limits, and the journal of
// a destroy only tells the next run what to say.
func (r *Reconciler) announce(plan *Plan) error {
	if _, err := os.Stat(r.store.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := r.savePending(plan)
	if err != nil && !noRoom(err) {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	return nil
}

// restoreSysctls applies every step, and forgets the originals of those that went well.
func (r *Reconciler) restoreSysctls(t *tuning, progress func(string)) error {
	if len(t.steps) == 0 {
		return nil
	}
	progress("sysctl")
	var errs []error
	failed := map[string]bool{}
	for _, s := range t.steps {
		if err := r.settings.Apply(s); err != nil {
			failed[s.Key] = true
			errs = append(errs, &StepError{Step: "restore", Address: sysctlAddress(s), Err: err})
		}
	}
	if len(errs) == 0 {
		return nil
	}
	var done []string
	for _, key := range t.leave {
		if !failed[key] {
			done = append(done, key)
		}
	}
	return errors.Join(append(errs, t.journal.Forget(done...))...)
}

// forgetAll removes every record. The originals are forgotten only now, when all of them are in force again.
func (r *Reconciler) forgetAll() error { return r.store.removeAll() }

func sysctlAddress(s sysctl.Step) string { return sysctlKeyAddress(s.Key) }

func sysctlKeyAddress(key string) string { return policy.Sysctl{Key: key}.Address() }
