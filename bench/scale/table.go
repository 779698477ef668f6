package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// table is a titled table of text.
type table struct {
	title  string
	note   string
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print aligns the first column left and the others right.
func (t *table) print(w io.Writer, markdown bool) {
	width := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(row []string) {
		cells := make([]string, len(row))
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if cells[i] = pad + cell; i == 0 {
				cells[i] = cell + pad
			}
		}
		if markdown {
			fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		} else {
			fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "  "), " "))
		}
	}
	if markdown {
		fmt.Fprintf(w, "**%s**\n\n", t.title)
	} else {
		fmt.Fprintf(w, "%s\n", t.title)
	}
	line(t.header)
	if markdown {
		rule := make([]string, len(width))
		for i, n := range width {
			if rule[i] = strings.Repeat("-", n-1) + ":"; i == 0 {
				rule[i] = strings.Repeat("-", n)
			}
		}
		line(rule)
	}
	for _, row := range t.rows {
		line(row)
	}
	if t.note != "" {
		fmt.Fprintf(w, "\n%s\n", t.note)
	}
}

type number interface {
	~int | ~int64 | ~uint64 | ~float64
}

// median of the middle two is the lower one, so that it is always a value that was measured.
func median[N number](values []N) N {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[(len(sorted)-1)/2]
}

// ratios divides pair by pair: a pair was measured back to back, so slow drift of the machine cancels out.
func ratios[N number](a, b []N) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = float64(a[i]) / float64(b[i])
	}
	return out
}

func ms(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func mib(kib int64) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

// times prints a ratio with two or three digits that mean something.
func times(x float64) string {
	switch {
	case x >= 0.1:
		return fmt.Sprintf("%.2fx", x)
	case x >= 0.001:
		return fmt.Sprintf("%.3fx", x)
	}
	return fmt.Sprintf("%.5fx", x)
}

// series is one contestant's rounds.
type series []usage

func (s series) walls() []time.Duration {
	return column(s, func(u usage) time.Duration { return u.Wall })
}
func (s series) cpus() []time.Duration {
	return column(s, func(u usage) time.Duration { return u.CPU })
}
func (s series) peaks() []int64 { return column(s, func(u usage) int64 { return u.PeakKiB }) }

func column[N any](s series, get func(usage) N) []N {
	out := make([]N, len(s))
	for i, u := range s {
		out[i] = get(u)
	}
	return out
}
