package report

import (
	"slices"
	"strings"
	"testing"
)

func TestParseRequirement(t *testing.T) {
	for _, tt := range []struct{ text, want, err string }{
		{"legit>=99", "legit>=99", ""},
		{" legit >= 99.5% ", "legit>=99.5%", ""},
		{"p99<=50ms", "p99<=50ms", ""},
		{"p50<1s", "p50<1s", ""},
		{"banned==0", "banned==0", ""},
		{"rps>100", "rps>100", ""},
		{"refused<=0", "refused<=0", ""},
		{"legit", "", "want a metric"},
		{"legit=99", "", "want a metric"},
		{"", "", "want a metric"},
		{"legal>=99", "", `unknown metric "legal": want one of legit, p50, p99`},
		{"p99<=50", "", "wants a duration with its unit"},
		{"legit>=50ms", "", "is not a number"},
		{"legit>=NaN", "", "is not a number"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			r, err := ParseRequirement(tt.text)
			if tt.err == "" && (err != nil || r.Text != tt.want) {
				t.Errorf("got %q, %v; want %q", r.Text, err, tt.want)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// scene is a scenario whose sides served these shares of requests; a negative one was not run.
func scene(name string, without, with float64, p99 float64, banned ...string) Scenario {
	side := func(success float64) *Side {
		if success < 0 {
			return nil
		}
		s := &Side{Judged: Result{Success: &success, PerSecond: success}, FalsePositives: FalsePositives{Banned: banned}}
		if success > 0 {
			s.Judged.P50, s.Judged.P99 = &p99, &p99
		}
		return s
	}
	return Scenario{Name: name, Title: name, Without: side(without), With: side(with)}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name, require string
		scenarios     []Scenario
		unmet         []string
		met           bool
	}{
		{"every scenario meets it", "legit>=99", []Scenario{scene("a", 0, 100, 0.01), scene("b", 0, 99, 0.01)}, nil, true},
		{"just missed", "legit>=99", []Scenario{scene("a", 100, 98.9, 0.01), scene("b", 0, 99, 0.01)}, []string{"a (98.9)"}, false},
		{"what happened without the policy does not count", "legit>=99", []Scenario{scene("a", 3, 99.5, 0.01)}, nil, true},
		{"latency at the bound", "p99<=50ms", []Scenario{scene("a", 0, 100, 0.05)}, nil, true},
		{"latency below is not at", "p99<50ms", []Scenario{scene("a", 0, 100, 0.05)}, []string{"a (50 ms)"}, false},
		{"nothing served has no latency", "p99<=1h", []Scenario{scene("a", 0, 0, 0)}, []string{"a (nothing was served)"}, false},
		{"a ban by mistake", "banned==0", []Scenario{scene("a", 0, 100, 0.01, "192.0.2.1")}, []string{"a (1)"}, false},
		{"a skipped scenario does not count", "legit>=99", []Scenario{scene("a", -1, -1, 0), scene("b", 0, 100, 0.01)}, nil, true},
		{"nothing run shows nothing", "legit>=0", []Scenario{scene("a", -1, -1, 0)}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ParseRequirement(tt.require)
			if err != nil {
				t.Fatal(err)
			}
			o := r.Judge(tt.scenarios)
			if o.Met != tt.met || !slices.Equal(o.Unmet, tt.unmet) {
				t.Errorf("met %v, unmet %q; want %v, %q", o.Met, o.Unmet, tt.met, tt.unmet)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name      string
		scenarios []Scenario
		grade     Grade
		headline  string
		detail    string // part of it
	}{
		{"nothing", nil, None, "Nothing was measured.", ""},
		{"only skipped", []Scenario{scene("a", -1, -1, 0)}, None, "Nothing was measured.", ""},
		{"both held", []Scenario{scene("a", 100, 99, 0)}, Good, "Legitimate clients were served in every scenario.", "held without the policy too"},
		{"the policy saved it", []Scenario{scene("a", 100, 100, 0), scene("b", 12, 99.5, 0)}, Good,
			"With the policy, legitimate clients were served in every scenario; without it they lost service in 1 of 2.", ""},
		{"nearly", []Scenario{scene("a", 100, 100, 0), scene("b", 12, 95, 0)}, Weak,
			"With the policy, legitimate clients were served in 1 of 2 scenarios; without it in 1.", "The worst is b: 95.0 %"},
		{"the policy did harm", []Scenario{scene("a", 100, 30, 0)}, Bad,
			"With the policy, legitimate clients were served in 0 of 1 scenarios; without it in 1.", "did harm in a"},
		{"an innocent was banned", []Scenario{scene("a", 10, 100, 0, "192.0.2.1")}, Bad,
			"With the policy, legitimate clients were served in every scenario; without it they lost service in 1 of 1.", "banned by mistake: 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := (&Document{Scenarios: tt.scenarios}).Verdict()
			if v.Grade != tt.grade || v.Headline != tt.headline || !strings.Contains(v.Detail, tt.detail) {
				t.Errorf("got %+v", v)
			}
		})
	}
}

func TestBusy(t *testing.T) {
	quietOne, busyOne := scene("a", 100, 100, 0.01), scene("b", 100, 100, 0.01)
	quietOne.With.OtherCPU, busyOne.Without.OtherCPU = 15, 34.6
	if got := (&Document{Scenarios: []Scenario{quietOne}}).Busy(); got != "" {
		t.Errorf("a quiet machine gives %q", got)
	}
	got := (&Document{Scenarios: []Scenario{quietOne, busyOne, scene("c", -1, -1, 0)}}).Busy()
	if !strings.Contains(got, "35 % of the processors (in b without the policy)") {
		t.Errorf("got %q", got)
	}
}
