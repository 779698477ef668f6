package reconcile

import (
	"errors"
	"fmt"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/fault"
	"github.com/tcpguard/tcpguard/sysctl"
)

// transit is an apply that has touched the kernel and is not yet at its end.
type transit struct {
	r      *Reconciler
	plan   *Plan
	report *Report
	kept   []string      // list contents that this apply put on disk
	done   []sysctl.Step // written, or tried to
}

// tune writes the sysctls, their originals first.
func (t *transit) tune(progress func(string)) error {
	tuning := t.plan.work.tuning
	if tuning.rules {
		if err := tuning.arrive(t.r); err != nil {
			return &StepError{Step: "read sysctls", Err: err}
		}
	}
	if err := t.adopt(progress); err != nil {
		return err
	}
	if len(tuning.steps) == 0 {
		return nil
	}
	progress("sysctl")
	if err := tuning.journal.Record(tuning.steps); err != nil {
		return &StepError{Step: "journal sysctls", Err: err}
	}
	fault.Point(fault.AfterJournal)
	for i, s := range tuning.steps {
		t.done = tuning.steps[:i+1]
		if err := t.r.settings.Apply(s); err != nil {
			return &StepError{Step: "write", Address: sysctlAddress(s), Range: s.Setting.Range, Err: err}
		}
		if i == 0 {
			fault.Point(fault.AfterFirstSysctl)
		}
	}
	fault.Point(fault.AfterSysctls)
	return nil
}

// rollBack puts back what was before the apply, in the reverse order, and verifies that. It returns the error of the
// apply: ErrRolledBack around failed, or ErrRollbackFailed.
func (t *transit) rollBack(failed error) error {
	err := t.undo()
	if err == nil {
		err = t.clean()
	}
	if err != nil {
		t.report.Outcome = OutcomeRollbackFailed
		return &ErrRollbackFailed{Err: failed, Undo: err}
	}
	t.report.Outcome = OutcomeRolledBack
	return &ErrRolledBack{Err: failed}
}

// undo goes on after an error in the sysctls, so that as much as possible is as before.
func (t *transit) undo() error {
	var errs []error
	if len(t.done) > 0 {
		if err := t.r.settings.Undo(t.done); err != nil {
			errs = append(errs, fmt.Errorf("put sysctls back: %w", err))
		}
	}
	fault.Point(fault.AfterUndoSysctls)
	if err := t.restoreTable(); err != nil {
		errs = append(errs, fmt.Errorf("put nftables back: %w", err))
	}
	fault.Point(fault.AfterUndoCommit)
	return errors.Join(errs...)
}

// restoreTable brings the table back to what the plan was made against. Other programs may move the generation in the
// meantime, so it reads again as an apply does.
func (t *transit) restoreTable() error {
	lost := t.plan.work.lost
	before := withoutMarkers(t.plan.work.actual, lost)
	for attempt := 1; ; attempt++ {
		now, generation, err := t.r.kernel.Read()
		if err != nil {
			return err
		}
		tx := enforcer.Diff(now, before, t.r.contents()).Transaction
		if tx.Empty() {
			return restored(now, before, lost)
		}
		err = t.r.kernel.Commit(tx, generation)
		switch {
		case err == nil, isStale(err) && attempt < maxAttempts:
		default:
			return err
		}
		if attempt > maxAttempts {
			return errors.New("the table does not become what it was, however often it is written")
		}
		if err := t.r.pause(background(), attempt); err != nil {
			return err
		}
	}
}

// restored compares the digest of the whole table too, which knows of every object, and owns up to what is lost.
func restored(now, before *enforcer.Ruleset, lost []marked) error {
	if stateHash(now, nil) != stateHash(before, nil) {
		return errors.New("the table is not what it was")
	}
	if len(lost) > 0 {
		return fmt.Errorf("the former content of set %s was not kept: it holds the new one", lost[0].set)
	}
	return nil
}

// clean takes back what the apply put on disk. What an earlier run left unfinished still is, so its journal comes back.
func (t *transit) clean() error {
	var errs []error
	if journal := t.plan.work.tuning.journal; journal != nil && len(t.done) > 0 {
		errs = append(errs, journal.Undone(t.plan.work.tuning.steps))
	}
	errs = append(errs, t.r.contents().remove(t.kept))
	if left := t.plan.work.pending; left != nil {
		errs = append(errs, t.r.store.save(pendingFile, left))
	} else {
		errs = append(errs, t.r.store.remove(pendingFile))
	}
	return errors.Join(errs...)
}

// notCommitted handles a transaction that the kernel did not take, or may have taken: some errors arrive after the
// commit (a full receive buffer), so what is in force decides.
func (t *transit) notCommitted(failed error) error {
	if isStale(failed) {
		return errors.Join(failed, t.clean())
	}
	failed = place(t.plan, failed)
	if same, err := t.unchanged(); err != nil || !same {
		return t.rollBack(failed)
	}
	if err := t.clean(); err != nil {
		return errors.Join(failed, err)
	}
	if explained(failed) {
		return failed // the exit code says why nothing could be done, and nothing was
	}
	t.report.Outcome = OutcomeRolledBack
	return &ErrRolledBack{Err: failed}
}
