package view

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Text is the View for people.
type Text struct {
	out, err io.Writer
	style    Style
}

var _ View = (*Text)(nil)

// NewText gives a view that writes data to out and everything else to err. Each stream has a style of its own, since
// one may be a terminal and the other a file.
func NewText(out, err io.Writer, outStyle, errStyle Style) *Text {
	return &Text{out: out, err: styled{err, errStyle}, style: outStyle}
}

// styled carries the style of standard error along with it.
type styled struct {
	io.Writer
	style Style
}

func (t *Text) errStyle() Style { return t.err.(styled).style }

// Diagnostics shows each with its place, its source line and what to do.
func (t *Text) Diagnostics(ds []Diagnostic) error {
	for _, d := range ds {
		if err := t.diagnostic(d); err != nil {
			return err
		}
	}
	return nil
}

func (t *Text) diagnostic(d Diagnostic) error {
	var b strings.Builder
	color := red
	if d.Severity == Warning {
		color = yellow
	}
	fmt.Fprintf(&b, "%s %s\n", t.errStyle().paint(color, string(d.Severity)+":"), t.errStyle().paint(bold, d.Summary))
	if place := d.Range.String(); place != "" {
		fmt.Fprintf(&b, "  on %s", place)
		if d.Range.Column > 0 {
			fmt.Fprintf(&b, ",%d", d.Range.Column)
		}
		b.WriteByte('\n')
	} else if d.Address != "" {
		fmt.Fprintf(&b, "  in %s\n", d.Address)
	}
	if d.Snippet != "" {
		b.WriteString(indent(d.Snippet, "    "))
	}
	if d.Detail != "" {
		b.WriteString(indent(d.Detail, "  "))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(t.err, b.String())
	return err
}

// indent puts a margin before each line and ends the last.
func indent(text, margin string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if line != "" {
			b.WriteString(margin + line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Valid says in one line what the files declare.
func (t *Text) Valid(v Validation) error {
	_, err := fmt.Fprintf(t.out, "The policy is valid: %s, %s with %s, %s, in %s.\n",
		count(v.Policies, "policy", "policies"), count(v.Lists, "list", "lists"), count(v.Addresses, "address", "addresses"),
		count(v.Sysctls, "sysctl", "sysctls"), count(len(v.Files), "file", "files"))
	return err
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Formatted names the files, a line each, or shows the difference.
func (t *Text) Formatted(f Formatted) error {
	if f.Diff != "" {
		_, err := io.WriteString(t.out, f.Diff)
		return err
	}
	for _, name := range f.Files {
		if _, err := fmt.Fprintln(t.out, name); err != nil {
			return err
		}
	}
	return nil
}

// Step says nothing: the command line shows progress itself, because it depends on the terminal and the clock.
func (t *Text) Step(string, time.Time) error { return nil }

// Version is one line.
func (t *Text) Version(v Version) error {
	revision := ""
	if v.Revision != "" {
		revision = v.Revision + ", "
	}
	_, err := fmt.Fprintf(t.out, "tcpguard %s (%s%s, %s)\n", v.Version, revision, v.Go, v.Platform)
	return err
}

// Failure is an error line, and a hint line when there is something to do.
func (t *Text) Failure(f Failure) error {
	s := t.errStyle()
	if _, err := fmt.Fprintf(t.err, "%s %s\n", s.paint(red, "error:"), f.Message); err != nil {
		return err
	}
	if f.Hint == "" {
		return nil
	}
	_, err := fmt.Fprintf(t.err, "%s %s\n", s.paint(bold, "hint:"), f.Hint)
	return err
}
