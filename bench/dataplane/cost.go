package main

import "github.com/tcpguard/tcpguard/bench/report"

import "fmt"

// costTargets are the goals for each flood, in proportion to the untouched kernel.
var costTargets = map[string]float64{
	randomSYN.name: 1.3, oneSource.name: 0.35, thousand.name: 1.2, rotating64.name: 0.35, randomACK.name: 0.6,
}

// costs measures what a packet of each flood costs each defence.
func costs(b *bench, defences []*defence) []*report.Table {
	var sites []*site
	for _, d := range defences {
		b.step("set up: %s", d.name)
		s := b.newSite(d)
		b.Cleanup(s.serve(ideal))
		sites = append(sites, s)
	}
	t := &report.Table{
		Title:  "CPU nanoseconds of a packet, and in proportion to the untouched kernel",
		Header: []string{"defence"},
		Note: "From the generator through the interface and the host's stack to its answer, on one processor at full speed. " +
			"The host is in the state that the flood has led it to.",
	}
	for _, d := range defences {
		t.Add(d.name)
	}
	t.Add("target for tcpguard")
	t.Add("100 policies against 1 (target 1.1x)")
	for _, f := range floods {
		t.Header = append(t.Header, f.name)
		cells := b.costColumn(sites, f)
		for i, cell := range cells {
			t.Rows[i] = append(t.Rows[i], cell)
		}
	}
	return []*report.Table{t}
}

// costColumn measures one flood against every site, in rounds.
func (b *bench) costColumn(sites []*site, f flood) []string {
	b.step("cost: %s", f.name)
	for _, s := range sites {
		s.forget()
	}
	samples := make([][]float64, len(sites))
	for round := range b.scale.rounds {
		for i := range sites {
			// Who comes first changes from round to round.
			at := (i + round) % len(sites)
			samples[at] = append(samples[at], sites[at].cost(f, b.scale.warm, b.scale.window))
		}
	}
	var cells []string
	one, hundred := -1, -1
	for i, s := range sites {
		cells = append(cells, fmt.Sprintf("%.0f (%s)", report.Median(samples[i]), report.Times(report.Median(report.Ratios(samples[i], samples[0])))))
		if g := s.defence.guard; g != nil && g.policies == 1 {
			one = i
		} else if g != nil {
			hundred = i
		}
	}
	cells = append(cells, "≤ "+report.Times(costTargets[f.name]))
	if one < 0 || hundred < 0 {
		return append(cells, "")
	}
	return append(cells, report.Times(report.Median(report.Ratios(samples[hundred], samples[one]))))
}
