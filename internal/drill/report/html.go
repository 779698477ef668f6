package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// page is what the template sees.
type page struct {
	*Document
	Verdict  Verdict
	Ran      []Scenario // those that were not skipped
	Skipped  []Scenario
	Tiles    []tile
	Success  chart
	Latency  chart
	Timeline []timelineChart
	Style    template.CSS
}

// tile is one figure to read at a glance.
type tile struct {
	Label, With, Without string
	Good                 bool
}

// WriteHTML writes one page that needs nothing else: styles and charts are in it, it loads nothing and runs no script.
func (d *Document) WriteHTML(w io.Writer) error {
	css, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return fmt.Errorf("read the page's style: %w", err)
	}
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"number": Number, "number64": func(n int) string { return Number(uint64(n)) }, "whole": func(v float64) string { return Number(uint64(v + 0.5)) }, "join": strings.Join,
		"side": func(name string, s *Side) namedSide { return namedSide{name, s} },
	}).ParseFS(pageFiles, "page/*.html")
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	p := page{Document: d, Verdict: d.Verdict(), Style: template.CSS(css)}
	for _, s := range d.Scenarios {
		if s.With != nil && s.Without != nil {
			p.Ran = append(p.Ran, s)
		} else {
			p.Skipped = append(p.Skipped, s)
		}
	}
	p.Tiles = tiles(p.Ran)
	p.Success, p.Latency, p.Timeline = successChart(p.Ran), latencyChart(p.Ran), timelineCharts(p.Ran)
	return t.Execute(w, p)
}

// namedSide is a side and what it is called.
type namedSide struct {
	Name string
	*Side
}

// tiles sums up over all scenarios.
func tiles(scenarios []Scenario) []tile {
	if len(scenarios) == 0 {
		return nil
	}
	held := [2]int{}
	success, p99 := [2]float64{100, 100}, [2]float64{}
	banned, hurt := 0, [2]int{}
	for _, s := range scenarios {
		for i, side := range []*Side{s.Without, s.With} {
			if gradeOf(side.Judged.Success) == Good {
				held[i]++
			}
			if v, ok := deref(side.Judged.Success); ok {
				success[i] = min(success[i], v)
			}
			if v, ok := deref(side.Judged.P99); ok {
				p99[i] = max(p99[i], v)
			}
			hurt[i] += side.FalsePositives.NotServed
		}
		banned += len(s.With.FalsePositives.Banned)
	}
	of := func(n int) string { return fmt.Sprintf("%d of %d", n, len(scenarios)) }
	return []tile{
		{Label: "Scenarios survived", With: of(held[1]), Without: of(held[0]), Good: held[1] == len(scenarios)},
		{Label: "Served, worst case", With: Percent(success[1]), Without: Percent(success[0]), Good: success[1] >= goodSuccess},
		{Label: "p99, worst case", With: Latency(p99[1]), Without: Latency(p99[0]), Good: p99[1] <= goodLatency},
		{Label: "Clients hurt", With: Number(uint64(hurt[1])), Without: Number(uint64(hurt[0])), Good: hurt[1] == 0},
		{Label: "Innocents banned", With: Number(uint64(banned)), Without: "–", Good: banned == 0},
	}
}

// SuccessText words the share of requests served.
func (r Result) SuccessText() string {
	if r.Success == nil {
		return "–"
	}
	return Percent(*r.Success)
}

// P50Text words the median latency.
func (r Result) P50Text() string { return latencyText(r.P50) }

// P99Text words the 99th percentile of latency.
func (r Result) P99Text() string { return latencyText(r.P99) }

func latencyText(v *float64) string {
	if v == nil {
		return "–"
	}
	return Latency(*v)
}
