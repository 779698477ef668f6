package report

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The charts are geometry for the page's SVG: all lengths are in units of its view boxes, which the browser scales.
const (
	chartWidth = 960
	plotLeft   = 230
	plotRight  = 760
	rowHeight  = 40
	headHeight = 34
)

// chart is one row for each scenario, with a mark for each side on a common scale.
type chart struct {
	Width, Height       int
	Left, Right, Bottom int
	Ticks               []tick
	Rows                []row
	Limit               *tick // a line to stay below
}

type tick struct {
	X    float64
	Text string
}

type row struct {
	Title, Name   string
	Y             float64
	Without, With mark
}

// mark is where a side lies, and from where its bar comes. Without a value there is only the text.
type mark struct {
	Has  bool
	From float64
	X    float64
	Text string
	Good bool
}

func newChart(scenarios []Scenario) chart {
	return chart{Width: chartWidth, Left: plotLeft, Right: plotRight, Height: headHeight + rowHeight*len(scenarios) + 34, Bottom: headHeight + rowHeight*len(scenarios)}
}

func (c *chart) add(s Scenario, without, with mark) {
	y := headHeight + rowHeight*(float64(len(c.Rows))+0.5)
	c.Rows = append(c.Rows, row{Title: s.Title, Name: s.Name, Y: y, Without: without, With: with})
}

// successChart has percent on its scale.
func successChart(scenarios []Scenario) chart {
	c := newChart(scenarios)
	at := func(percent float64) float64 { return plotLeft + (plotRight-plotLeft)*percent/100 }
	for p := 0; p <= 100; p += 25 {
		c.Ticks = append(c.Ticks, tick{at(float64(p)), fmt.Sprintf("%d %%", p)})
	}
	of := func(s *Side) mark {
		if s == nil || s.Judged.Success == nil {
			return mark{Text: "–"}
		}
		v := *s.Judged.Success
		return mark{Has: true, From: at(0), X: at(v), Text: Percent(v), Good: gradeOf(s.Judged.Success) == Good}
	}
	for _, s := range scenarios {
		c.add(s, of(s.Without), of(s.With))
	}
	return c
}

// goodLatency is where the latency chart draws its line: what a person does not notice.
const goodLatency = 0.050

// latencyChart has seconds on a logarithmic scale from 0.1 ms to 2 s. A bar reaches from the median to the 99th percentile.
func latencyChart(scenarios []Scenario) chart {
	c := newChart(scenarios)
	const first, last = -4, 0.3010
	at := func(seconds float64) float64 {
		share := (math.Log10(max(seconds, 1e-9)) - first) / (last - first)
		return plotLeft + (plotRight-plotLeft)*min(max(share, 0), 1)
	}
	for _, t := range []struct {
		seconds float64
		text    string
	}{{0.0001, "0.1 ms"}, {0.001, "1 ms"}, {0.01, "10 ms"}, {0.1, "100 ms"}, {1, "1 s"}} {
		c.Ticks = append(c.Ticks, tick{at(t.seconds), t.text})
	}
	c.Limit = &tick{at(goodLatency), Latency(goodLatency)}
	of := func(s *Side) mark {
		switch {
		case s == nil:
			return mark{Text: "–"}
		case s.Judged.P99 == nil:
			return mark{Text: "none served"}
		}
		return mark{Has: true, From: at(*s.Judged.P50), X: at(*s.Judged.P99), Text: Latency(*s.Judged.P99), Good: *s.Judged.P99 <= goodLatency}
	}
	for _, s := range scenarios {
		c.add(s, of(s.Without), of(s.With))
	}
	return c
}

// timelineChart is the success of one scenario over its time, as two lines of steps.
type timelineChart struct {
	Title         string
	Width, Height int
	Left, Right   int
	Top, Base     int
	Without, With string // SVG paths
	Seconds       []tick
}

func timelineCharts(scenarios []Scenario) []timelineChart {
	var out []timelineChart
	for _, s := range scenarios {
		if s.With == nil || len(s.With.Timeline) == 0 {
			continue
		}
		c := timelineChart{Title: s.Title, Width: 460, Height: 124, Left: 50, Right: 442, Top: 32, Base: 98}
		n := len(s.With.Timeline)
		length := time.Duration(n) * TickLength
		each := time.Duration(max(1, int(length/(4*time.Second)))) * time.Second
		for t := time.Duration(0); t <= length; t += each {
			x := float64(c.Left) + float64(c.Right-c.Left)*float64(t)/float64(length)
			c.Seconds = append(c.Seconds, tick{x, fmt.Sprintf("%.0f s", t.Seconds())})
		}
		c.With = c.path(s.With.Timeline)
		if s.Without != nil {
			c.Without = c.path(s.Without.Timeline)
		}
		out = append(out, c)
	}
	return out
}

// fewRequests is below how many requests a step would be chance: then several ticks make one.
const fewRequests = 3

func (c timelineChart) path(ticks []Tick) string {
	all := 0
	for _, t := range ticks {
		all += t.Requests
	}
	span := 1
	for span < len(ticks) && all*span < fewRequests*len(ticks) {
		span *= 2
	}
	var b strings.Builder
	pen := "M"
	for i := 0; i < len(ticks); i += span {
		end := min(i+span, len(ticks))
		var sum Tick
		for _, t := range ticks[i:end] {
			sum.Requests += t.Requests
			sum.Served += t.Served
		}
		if sum.Requests == 0 {
			continue
		}
		y := float64(c.Base) - float64(c.Base-c.Top)*float64(sum.Served)/float64(sum.Requests)
		fmt.Fprintf(&b, "%s%.1f %.1fH%.1f", pen, c.x(i, len(ticks)), y, c.x(end, len(ticks)))
		pen = "L"
	}
	return b.String()
}

func (c timelineChart) x(i, n int) float64 {
	return float64(c.Left) + float64(c.Right-c.Left)*float64(i)/float64(n)
}
