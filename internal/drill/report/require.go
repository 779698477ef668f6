package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Requirement is what must hold in every scenario with the policy, such as "legit>=99" or "p99<=50ms".
type Requirement struct {
	Text   string
	metric metric
	op     string
	bound  float64
}

// Outcome is what became of a requirement.
type Outcome struct {
	Text string `json:"requirement"`
	Met  bool   `json:"met"`
	// Unmet names the scenarios where it does not hold, with the value found there.
	Unmet []string `json:"unmet"`
}

// metric is something that can be required.
type metric struct {
	name, what string
	duration   bool
	of         func(*Side) (value float64, ok bool) // false: nothing was measured, which meets nothing
}

var metrics = [...]metric{
	{name: "legit", what: "legitimate requests served, in percent", of: func(s *Side) (float64, bool) { return deref(s.Judged.Success) }},
	{name: "p50", what: "median latency, as 5ms", duration: true, of: func(s *Side) (float64, bool) { return deref(s.Judged.P50) }},
	{name: "p99", what: "99th percentile of latency, as 50ms", duration: true, of: func(s *Side) (float64, bool) { return deref(s.Judged.P99) }},
	{name: "rps", what: "legitimate requests served in a second", of: func(s *Side) (float64, bool) { return s.Judged.PerSecond, true }},
	{name: "banned", what: "legitimate sources banned", of: func(s *Side) (float64, bool) { return float64(len(s.FalsePositives.Banned)), true }},
	{name: "refused", what: "legitimate sources that were not served at least once", of: func(s *Side) (float64, bool) { return float64(s.FalsePositives.NotServed), true }},
}

func deref(v *float64) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return *v, true
}

// Metrics names what can be required, for help texts.
func Metrics() string {
	var names []string
	for _, m := range metrics {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}

var requirementForm = regexp.MustCompile(`^\s*([a-z0-9]+)\s*(>=|<=|==|>|<)\s*(\S+)\s*$`)

// ParseRequirement reads METRIC OP VALUE. Durations have a unit.
func ParseRequirement(text string) (Requirement, error) {
	parts := requirementForm.FindStringSubmatch(text)
	if parts == nil {
		return Requirement{}, fmt.Errorf("requirement %q: want a metric, one of >= <= > < ==, and a value, as in legit>=99", text)
	}
	r := Requirement{Text: parts[1] + parts[2] + parts[3], op: parts[2]}
	for _, m := range metrics {
		if m.name == parts[1] {
			r.metric = m
		}
	}
	if r.metric.name == "" {
		return Requirement{}, fmt.Errorf("requirement %q: unknown metric %q: want one of %s", text, parts[1], Metrics())
	}
	if r.metric.duration {
		d, err := time.ParseDuration(parts[3])
		if err != nil {
			return Requirement{}, fmt.Errorf("requirement %q: %s wants a duration with its unit, as in %s<=50ms", text, r.metric.name, r.metric.name)
		}
		r.bound = d.Seconds()
		return r, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(parts[3], "%"), 64)
	if err != nil || v != v {
		return Requirement{}, fmt.Errorf("requirement %q: %q is not a number", text, parts[3])
	}
	r.bound = v
	return r, nil
}

// Judge says in which scenarios a requirement is not met. A scenario without a side with the policy does not count,
// unless none has one: then nothing was shown.
func (r Requirement) Judge(scenarios []Scenario) Outcome {
	o := Outcome{Text: r.Text, Unmet: []string{}}
	judged := 0
	for _, s := range scenarios {
		if s.With == nil {
			continue
		}
		judged++
		v, ok := r.metric.of(s.With)
		switch {
		case !ok:
			o.Unmet = append(o.Unmet, s.Name+" (nothing was served)")
		case !r.holds(v):
			o.Unmet = append(o.Unmet, fmt.Sprintf("%s (%s)", s.Name, r.show(v)))
		}
	}
	o.Met = judged > 0 && len(o.Unmet) == 0
	return o
}

func (r Requirement) holds(v float64) bool {
	switch r.op {
	case ">=":
		return v >= r.bound
	case "<=":
		return v <= r.bound
	case ">":
		return v > r.bound
	case "<":
		return v < r.bound
	}
	return v == r.bound
}

func (r Requirement) show(v float64) string {
	if r.metric.duration {
		return Latency(v)
	}
	// Rounded towards what was measured: 98.996 must not be shown as the 99 that it misses.
	return strconv.FormatFloat(v, 'g', 4, 64)
}
