package policy

import (
	"encoding/json"
	"fmt"
)

// Severity tells an error, with which nothing is applied, from a warning.
type Severity string

// The severities of a Diagnostic.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Position is a place in a file; both count from 1, columns in characters.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Snippet is the source that a diagnostic speaks of.
type Snippet struct {
	Context   string `json:"context"`         // the block it stands in, such as `policy "web"`; may be empty
	Code      string `json:"code"`            // whole lines without the last line break, or the part of a very long line
	StartLine int    `json:"start_line"`      // the number of the first line
	Start     int    `json:"highlight_start"` // where the highlighted part begins in Code, in bytes
	End       int    `json:"highlight_end"`   // and where it ends
}

// Related is another place that a diagnostic is about: where a name was declared first, for example.
type Related struct {
	Message string   `json:"message"`
	Range   Range    `json:"range"`
	End     Position `json:"end"`
	Snippet *Snippet `json:"snippet,omitempty"`
}

// Diagnostic is one mistake or warning, with the place it stands at.
type Diagnostic struct {
	Severity Severity  `json:"severity"`
	Summary  string    `json:"summary"`
	Detail   string    `json:"detail"`
	Range    Range     `json:"range"`             // zero when the mistake is in no file
	End      Position  `json:"end"`               // just behind the last character meant
	Snippet  *Snippet  `json:"snippet,omitempty"` // nil when there is no source to show
	Related  []Related `json:"related"`
}

// Error gives "file:line,column: summary; detail".
func (d Diagnostic) Error() string {
	text := d.Summary
	if d.Detail != "" {
		text += "; " + d.Detail
	}
	if d.Range.File == "" {
		return text
	}
	return fmt.Sprintf("%s:%d,%d: %s", d.Range.File, d.Range.Line, d.Range.Column, text)
}

// Diagnostics is all that Load has to say, sorted by file, line and column.
type Diagnostics []Diagnostic

// HasErrors says whether anything forbids using the bundle.
func (ds Diagnostics) HasErrors() bool {
	for _, d := range ds {
		if d.Severity == SeverityError {
			return true
		}
	}
	return false
}

// Errors gives the errors alone.
func (ds Diagnostics) Errors() Diagnostics { return ds.only(SeverityError) }

// Warnings gives the warnings alone.
func (ds Diagnostics) Warnings() Diagnostics { return ds.only(SeverityWarning) }

func (ds Diagnostics) only(s Severity) Diagnostics {
	var out Diagnostics
	for _, d := range ds {
		if d.Severity == s {
			out = append(out, d)
		}
	}
	return out
}

// Error makes Diagnostics an error: the first error, and how many more there are.
func (ds Diagnostics) Error() string {
	errs := ds.Errors()
	switch len(errs) {
	case 0:
		return "no errors"
	case 1:
		return errs[0].Error()
	default:
		return fmt.Sprintf("%s (and %d more)", errs[0].Error(), len(errs)-1)
	}
}

// MarshalJSON writes an array also when there is nothing to say.
func (ds Diagnostics) MarshalJSON() ([]byte, error) {
	list := make([]Diagnostic, len(ds))
	copy(list, ds)
	for i := range list {
		if list[i].Related == nil {
			list[i].Related = []Related{}
		}
	}
	return json.Marshal(list)
}
