package report

import (
	"fmt"
	"strings"
)

// Grade is how good a drill's outcome is.
type Grade string

// The grades.
const (
	Good Grade = "good" // every scenario served at least 99 %
	Weak Grade = "weak" // some served less, none less than 90 %
	Bad  Grade = "bad"
	None Grade = "none" // nothing was measured
)

// The success, in percent, that a grade asks for.
const (
	goodSuccess = 99
	weakSuccess = 90
)

// Verdict is the outcome in one line, for whoever reads no further.
type Verdict struct {
	Grade    Grade
	Headline string
	Detail   string
}

// gradeOf grades one success rate.
func gradeOf(success *float64) Grade {
	switch {
	case success == nil:
		return None
	case *success >= goodSuccess:
		return Good
	case *success >= weakSuccess:
		return Weak
	}
	return Bad
}

// Verdict sums the drill up.
func (d *Document) Verdict() Verdict {
	var worst *Scenario
	ran, held, fell, banned := 0, 0, 0, 0
	var harmed []string
	for i := range d.Scenarios {
		s := &d.Scenarios[i]
		if s.With == nil {
			continue
		}
		ran++
		banned += len(s.With.FalsePositives.Banned)
		if gradeOf(s.With.Judged.Success) == Good {
			held++
		}
		if s.Without != nil && gradeOf(s.Without.Judged.Success) != Good {
			fell++
		}
		if s.harmed() {
			harmed = append(harmed, s.Name)
		}
		if s.With.Judged.Success != nil && (worst == nil || *s.With.Judged.Success < *worst.With.Judged.Success) {
			worst = s
		}
	}
	if worst == nil {
		return Verdict{Grade: None, Headline: "Nothing was measured."}
	}
	v := Verdict{Grade: gradeOf(worst.With.Judged.Success)}
	switch {
	case held == ran && fell == 0:
		v.Headline = "Legitimate clients were served in every scenario."
		v.Detail = "The host held without the policy too, as far as these attacks go."
	case held == ran:
		v.Headline = fmt.Sprintf("With the policy, legitimate clients were served in every scenario; without it they lost service in %d of %d.", fell, ran)
	default:
		v.Headline = fmt.Sprintf("With the policy, legitimate clients were served in %d of %d scenarios; without it in %d.", held, ran, ran-fell)
		v.Detail = fmt.Sprintf("The worst is %s: %s of legitimate requests were served.", worst.Name, Percent(*worst.With.Judged.Success))
	}
	if len(harmed) > 0 {
		v.Detail += " The policy itself did harm in " + strings.Join(harmed, ", ") + ": there fewer were served than without it."
	}
	if banned > 0 {
		v.Grade = Bad
		v.Detail += fmt.Sprintf(" Legitimate sources were banned by mistake: %d.", banned)
	}
	if d.Interrupted {
		v.Headline += " The drill was interrupted: scenarios are missing."
	}
	return v
}

// harmed says that clients were served clearly worse with the policy than without.
func (s *Scenario) harmed() bool {
	if s.With == nil || s.Without == nil {
		return false
	}
	with, ok := deref(s.With.Judged.Success)
	without, before := deref(s.Without.Judged.Success)
	return ok && before && with < goodSuccess && with < without-1
}

// quiet is the share of the processors, in percent, that other programs may take before a latency is theirs.
const quiet = 15

// Busy warns when other programs took so much of the processors that latencies say little; "" when they did not.
func (d *Document) Busy() string {
	most, where := 0.0, ""
	for _, s := range d.Scenarios {
		for side, words := range map[*Side]string{s.Without: "without", s.With: "with"} {
			if side != nil && side.OtherCPU > most {
				most, where = side.OtherCPU, s.Name+" "+words+" the policy"
			}
		}
	}
	if most <= quiet {
		return ""
	}
	return fmt.Sprintf("Other programs took up to %.0f %% of the processors (in %s): repeat the drill on a quieter machine before believing its latencies.", most, where)
}
