package view

import (
	"fmt"
	"io"
	"time"

	"github.com/tcpguard/tcpguard/policy"
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

// detailWidth is where the explanation of a diagnostic is wrapped, in columns.
const detailWidth = 100

// Diagnostics shows each with its place, its source line and what to do.
func (t *Text) Diagnostics(ds policy.Diagnostics) error {
	return ds.WriteText(t.err, detailWidth, t.errStyle().Color)
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
