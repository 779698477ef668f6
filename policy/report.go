package policy

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// maxErrors bounds what one Load reports: a hostile file can be wrong a million times.
const maxErrors = 200

// maxSnippet bounds the source shown with a diagnostic, in bytes: a JSON file may be a single line.
const maxSnippet = 200

// reporter collects diagnostics and finds the source for them.
type reporter struct {
	files   map[string]*hcl.File
	diags   Diagnostics
	errors  int
	dropped int
}

// place is another place that a diagnostic refers to.
type place struct {
	message string
	rng     hcl.Range
}

func (r *reporter) errorAt(rng hcl.Range, summary, detail string, related ...place) {
	if r.errors++; r.errors > maxErrors {
		r.dropped++
		return
	}
	r.add(SeverityError, rng, summary, detail, related)
}

func (r *reporter) warnAt(rng hcl.Range, summary, detail string, related ...place) {
	if len(r.diags) > 2*maxErrors {
		return
	}
	r.add(SeverityWarning, rng, summary, detail, related)
}

// errorHere reports a mistake that stands in no file, or in one that cannot be shown.
func (r *reporter) errorHere(summary, detail string) { r.errorAt(hcl.Range{}, summary, detail) }

func (r *reporter) add(s Severity, rng hcl.Range, summary, detail string, related []place) {
	d := Diagnostic{
		Severity: s, Summary: summary, Detail: detail,
		Range: rangeOf(rng), End: endOf(rng), Snippet: r.snippet(rng), Related: []Related{},
	}
	for _, p := range related {
		d.Related = append(d.Related, Related{Message: p.message, Range: rangeOf(p.rng), End: endOf(p.rng), Snippet: r.snippet(p.rng)})
	}
	r.diags = append(r.diags, d)
}

// finish gives everything that was reported, in the order of the files, whatever the order of discovery.
func (r *reporter) finish() Diagnostics {
	if r.dropped > 0 {
		r.add(SeverityError, hcl.Range{}, "Too many errors", fmt.Sprintf("%d more errors are not shown.", r.dropped), nil)
		r.dropped = 0
	}
	slices.SortStableFunc(r.diags, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Range.File, b.Range.File), cmp.Compare(a.Range.Line, b.Range.Line), cmp.Compare(a.Range.Column, b.Range.Column))
	})
	return r.diags
}

func rangeOf(rng hcl.Range) Range {
	return Range{File: rng.Filename, Line: rng.Start.Line, Column: rng.Start.Column}
}

func endOf(rng hcl.Range) Position {
	return Position{Line: rng.End.Line, Column: rng.End.Column}
}

// snippet cuts the lines of a range out of its file.
func (r *reporter) snippet(rng hcl.Range) *Snippet {
	file := r.files[rng.Filename]
	if file == nil || rng.Start.Byte > len(file.Bytes) {
		return nil
	}
	src, start := file.Bytes, rng.Start.Byte
	end := min(max(rng.End.Byte, start), len(src))
	first := bytes.LastIndexByte(src[:start], '\n') + 1
	// A block is shown by its first line alone.
	last := len(src)
	if n := bytes.IndexByte(src[start:], '\n'); n >= 0 {
		last = start + n
	}
	last = max(first, last-trailingCR(src[first:last]))
	start = min(start, last)
	end = min(max(end, start), last)
	first, last = window(src, first, last, start, end)
	end = min(end, last)
	s := &Snippet{Code: string(src[first:last]), StartLine: rng.Start.Line, Start: start - first, End: end - first}
	if nav, ok := file.Nav.(interface{ ContextString(int) string }); ok {
		s.Context = nav.ContextString(rng.Start.Byte)
	}
	return s
}

func trailingCR(line []byte) int {
	if bytes.HasSuffix(line, []byte{'\r'}) {
		return 1
	}
	return 0
}

// window narrows a very long line to what surrounds the highlighted part.
func window(src []byte, first, last, start, end int) (int, int) {
	if last-first <= maxSnippet {
		return first, last
	}
	first = max(first, start-maxSnippet/4)
	last = min(last, max(min(end, start+maxSnippet/2), first+maxSnippet))
	for first < start && !utf8.RuneStart(src[first]) {
		first++
	}
	for last > start && last < len(src) && !utf8.RuneStart(src[last]) {
		last--
	}
	return first, last
}

// errorWithLine reports a place in a file that is not kept in memory; the caller brings the line.
func (r *reporter) errorWithLine(rng hcl.Range, line, summary, detail string, related ...place) {
	before := len(r.diags)
	r.errorAt(rng, summary, detail, related...)
	if len(r.diags) > before && line != "" {
		start := clamp(rng.Start.Column-1, len(line))
		r.diags[before].Snippet = &Snippet{Code: line, StartLine: rng.Start.Line, Start: start, End: clamp(rng.End.Column-1, len(line))}
	}
}
