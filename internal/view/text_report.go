package view

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/tcpguard/tcpguard/internal/reconcile"
)

// Report shows what was done. What went wrong is told by the Failure that follows; the differences it is about are
// told here.
func (t *Text) Report(r *reconcile.Report) error {
	if r.Recovered != "" {
		if _, err := fmt.Fprintf(t.err, "%s %s\n", t.errStyle().paint(yellow, "recovered:"), r.Recovered); err != nil {
			return err
		}
	}
	if err := writeDifferences(t.err, r.Differences); err != nil {
		return err
	}
	var line string
	switch r.Outcome {
	case reconcile.OutcomeUnchanged:
		line = planLine(r.Plan)
	case reconcile.OutcomeApplied:
		line = appliedLine(r)
	default:
		return nil
	}
	_, err := fmt.Fprintln(t.out, line)
	return err
}

// appliedLine counts what was done in the words of the plan.
func appliedLine(r *reconcile.Report) string {
	s := r.Plan.Summary
	verb := "Applied"
	if r.Plan.Destroy {
		verb = "Destroyed"
	}
	line := fmt.Sprintf("%s: %d added, %d changed, %d removed, %d repaired", verb, s.Add, s.Change, s.Remove, s.Repair)
	if r.Verified {
		line += "; read back and verified"
	}
	line += " in " + seconds(r.Duration) + "."
	if r.Adopted > 0 {
		line += fmt.Sprintf(" Conntrack was told of %d open connections, which the challenges leave alone.", r.Adopted)
	}
	return line
}

// seconds writes a duration with as many digits as a person can use.
func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// writeDifferences shows what reading back found to be other than written.
func writeDifferences(w io.Writer, ds []reconcile.Difference) error {
	b := bufio.NewWriter(w)
	for _, d := range ds {
		place := d.Range.String()
		if place != "" {
			place = "  (" + place + ")"
		}
		fmt.Fprintf(b, "  ! %s: %s %s%s\n", d.Address, d.Object, d.Kind, place)
		if d.Want != "" {
			fmt.Fprintf(b, "      want: %s\n", d.Want)
		}
		if d.Got != "" {
			fmt.Fprintf(b, "      got:  %s\n", d.Got)
		}
	}
	return b.Flush()
}
