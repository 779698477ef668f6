package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// verify reads back what was written and compares it raw. What differs goes into the report and makes an error.
func (t *transit) verify() error {
	w := t.plan.work
	actual, _, err := t.r.kernel.Read()
	if err != nil {
		return &StepError{Step: "read back nftables", Err: err}
	}
	delta := enforcer.Diff(actual, w.desired, t.r.contents())
	t.report.Differences = append(t.report.Differences, differences(delta.Drift, w.desired)...)
	keys := make([]string, 0, len(w.tuning.steps))
	for _, s := range w.tuning.steps {
		keys = append(keys, s.Key)
	}
	states, err := t.r.settings.Read(keys)
	if err != nil {
		return &StepError{Step: "read back sysctls", Err: err}
	}
	t.report.Differences = append(t.report.Differences, w.tuning.unsettled(states)...)
	if len(t.report.Differences) == 0 && delta.Transaction.Empty() {
		return nil
	}
	if len(t.report.Differences) == 0 {
		return &StepError{Step: "read back nftables", Err: errors.New("the kernel does not hold what was written")}
	}
	d := t.report.Differences[0]
	return &StepError{Step: "read back", Address: d.Address, Range: d.Range, Err: errors.New(d.text())}
}

// text is a difference in one clause.
func (d Difference) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s", d.Object, d.Kind)
	if d.Want != "" || d.Got != "" {
		fmt.Fprintf(&b, ": asked for %q, the kernel holds %q", d.Want, d.Got)
	}
	return b.String()
}

// differences gives one entry for each object, with the place of its declaration.
func differences(found []enforcer.Drift, desired *enforcer.Ruleset) []Difference {
	places := map[string]policy.Range{}
	for _, x := range desired.Resources {
		places[x.Address] = x.Range
	}
	var out []Difference
	for _, f := range found {
		for _, object := range f.Objects {
			out = append(out, Difference{Address: f.Address, Object: object, Kind: string(f.Kind), Range: places[f.Address]})
		}
	}
	return out
}

// unchanged says whether the table still is what the plan was made against.
func (t *transit) unchanged() (bool, error) {
	actual, _, err := t.r.kernel.Read()
	if err != nil {
		return false, err
	}
	return enforcer.Diff(actual, t.plan.work.actual, t.r.contents()).Transaction.Empty(), nil
}

// Verify says how the host differs from what the bundle declares, object by object, and changes nothing. Errors are
// those of Plan.
func (r *Reconciler) Verify(ctx context.Context, b *policy.Bundle) ([]Difference, error) {
	plan, err := r.plan(ctx, goal{bundle: b})
	if err != nil {
		return nil, err
	}
	w := plan.work
	return append(differences(w.delta.Drift, w.desired), w.tuning.unsettled(w.tuning.states)...), nil
}

var _ Settings = (*sysctl.Client)(nil)
