package policy

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	colourRed       = "\x1b[31m"
	colourYellow    = "\x1b[33m"
	colourUnderline = "\x1b[1;4m"
	colourReset     = "\x1b[0m"
)

// WriteText prints the diagnostics the way hcl.NewDiagnosticTextWriter does. With colour the source is underlined by
// the terminal, without by a line of carets. A width above zero wraps the detail to that many columns.
func (ds Diagnostics) WriteText(w io.Writer, width int, colour bool) error {
	out := bufio.NewWriter(w)
	for _, d := range ds {
		d.writeText(out, width, colour)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

func (d Diagnostic) writeText(w *bufio.Writer, width int, colour bool) {
	name, code := "Error", colourRed
	if d.Severity == SeverityWarning {
		name, code = "Warning", colourYellow
	}
	if colour {
		name = code + name + colourReset
	}
	fmt.Fprintf(w, "%s: %s\n\n", name, d.Summary)
	writePlace(w, "on", d.Range, d.Snippet, colour)
	if d.Detail != "" {
		fmt.Fprintf(w, "%s\n\n", wrap(visible(d.Detail), width))
	}
	for _, r := range d.Related {
		writePlace(w, r.Message+" on", r.Range, r.Snippet, colour)
	}
}

func writePlace(w *bufio.Writer, preposition string, rng Range, s *Snippet, colour bool) {
	if rng.File == "" {
		return
	}
	fmt.Fprintf(w, "  %s %s line %d", preposition, rng.File, rng.Line)
	if s == nil {
		fmt.Fprint(w, "\n\n")
		return
	}
	if s.Context != "" {
		fmt.Fprintf(w, ", in %s", s.Context)
	}
	fmt.Fprint(w, ":\n")
	offset := 0
	for i, line := range strings.Split(s.Code, "\n") {
		start, end := clamp(s.Start-offset, len(line)), clamp(s.End-offset, len(line))
		if colour && end > start {
			fmt.Fprintf(w, "%4d: %s%s%s%s%s\n", s.StartLine+i, visible(line[:start]), colourUnderline, visible(line[start:end]), colourReset, visible(line[end:]))
		} else {
			fmt.Fprintf(w, "%4d: %s\n", s.StartLine+i, visible(line))
			if carets := underline(line, s.Start-offset, start, end); carets != "" && !colour {
				fmt.Fprintf(w, "      %s\n", carets)
			}
		}
		offset += len(line) + 1
	}
	fmt.Fprint(w, "\n")
}

// underline gives the carets below line[start:end]. A place behind the last character, where something is missing,
// gets one caret. Tabs are repeated, so that the carets stand right whatever the terminal's tab width.
func underline(line string, asked, start, end int) string {
	if asked < 0 && end == 0 || asked > len(line) {
		return ""
	}
	var b strings.Builder
	for _, r := range line[:start] {
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteString(strings.Repeat("^", max(1, utf8.RuneCountInString(line[start:end]))))
	return b.String()
}

// visible replaces control characters, one for one: a file must not be able to steer the terminal that shows it.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' && r != '\n' || r == '\u202e' || r == '\u2066' || r == '\u2067' || r == '\u2068' {
			return utf8.RuneError
		}
		return r
	}, text)
}

func clamp(n, high int) int { return max(0, min(n, high)) }

// wrap breaks text at spaces; words longer than the width stay whole.
func wrap(text string, width int) string {
	if width <= 0 {
		return text
	}
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		column := 0
		for _, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			if column > 0 && column+1+n > width {
				b.WriteByte('\n')
				column = 0
			} else if column > 0 {
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
	}
	return b.String()
}
