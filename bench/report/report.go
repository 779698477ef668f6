// Package report prints what the benchmarks measure: medians, ratios and tables.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table is a titled table of text, with a note below it when there is one.
type Table struct {
	Title  string
	Note   string
	Header []string
	Rows   [][]string
}

// Add appends a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Print aligns the first column left and the others right.
func (t *Table) Print(w io.Writer, markdown bool) {
	width := make([]int, len(t.Header))
	for _, row := range append([][]string{t.Header}, t.Rows...) {
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
		fmt.Fprintf(w, "**%s**\n\n", t.Title)
	} else {
		fmt.Fprintf(w, "%s\n", t.Title)
	}
	line(t.Header)
	if markdown {
		rule := make([]string, len(width))
		for i, n := range width {
			if rule[i] = strings.Repeat("-", n-1) + ":"; i == 0 {
				rule[i] = strings.Repeat("-", n)
			}
		}
		line(rule)
	}
	for _, row := range t.Rows {
		line(row)
	}
	if t.Note != "" {
		fmt.Fprintf(w, "\n%s\n", t.Note)
	}
}

// Number is what can be measured.
type Number interface {
	~int | ~int64 | ~uint64 | ~float64
}

// Median of the middle two is the lower one, so that it is always a value that was measured; 0 of none.
func Median[N Number](values []N) N {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[(len(sorted)-1)/2]
}

// Ratios divides pair by pair: a pair was measured back to back, so slow drift of the machine cancels out.
func Ratios[N Number](a, b []N) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = float64(a[i]) / float64(b[i])
	}
	return out
}

// Times prints a ratio with two or three digits that mean something.
func Times(x float64) string {
	switch {
	case x >= 0.1:
		return fmt.Sprintf("%.2fx", x)
	case x >= 0.001:
		return fmt.Sprintf("%.3fx", x)
	}
	return fmt.Sprintf("%.5fx", x)
}
