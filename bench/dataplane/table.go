package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
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
	title, rule := t.title, make([]string, len(width))
	if markdown {
		title = "**" + title + "**\n"
	}
	fmt.Fprintln(w, title)
	line(t.header)
	if markdown {
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

// median of the middle two is the lower one, so that it is always a value that was measured; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

// ratios divides pair by pair: a pair was measured back to back, so slow drift of the machine cancels out.
func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

func times(x float64) string { return fmt.Sprintf("%.2fx", x) }
