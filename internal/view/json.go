package view

import (
	"encoding/json"
	"io"
	"time"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
)

// JSON is the View for programs: one document per command, or one typed object a line when Stream is set. Times are
// RFC 3339 in UTC, durations in seconds, arrays never null.
type JSON struct {
	// Stream writes each object on a line of its own with a type, as apply and destroy do.
	Stream bool

	out         io.Writer
	diagnostics policy.Diagnostics // waiting for the document they belong to
}

var _ View = (*JSON)(nil)

// NewJSON gives a view that writes everything to out.
func NewJSON(out io.Writer) *JSON { return &JSON{out: out, diagnostics: policy.Diagnostics{}} }

// header begins every object.
type header struct {
	FormatVersion string `json:"format_version"`
	Type          string `json:"type"`
}

func head(kind string) header { return header{reconcile.FormatVersion, kind} }

// write prints a document, indented, or a line of a stream.
func (j *JSON) write(doc any) error {
	e := json.NewEncoder(j.out)
	e.SetEscapeHTML(false)
	if !j.Stream {
		e.SetIndent("", "  ")
	}
	return e.Encode(doc)
}

// Diagnostics keeps them for the document that follows.
func (j *JSON) Diagnostics(ds policy.Diagnostics) error {
	j.diagnostics = append(j.diagnostics, ds...)
	return nil
}

// Valid is the document of validate.
func (j *JSON) Valid(v Validation) error {
	return j.write(struct {
		header
		Valid       bool               `json:"valid"`
		Files       []string           `json:"files"`
		Policies    int                `json:"policies"`
		Lists       int                `json:"lists"`
		Addresses   int                `json:"addresses"`
		Sysctls     int                `json:"sysctls"`
		Diagnostics policy.Diagnostics `json:"diagnostics"`
	}{head("validation"), true, list(v.Files), v.Policies, v.Lists, v.Addresses, v.Sysctls, j.diagnostics})
}

// Formatted is the document of fmt.
func (j *JSON) Formatted(f Formatted) error {
	return j.write(struct {
		header
		Changed bool     `json:"changed"`
		Written bool     `json:"written"`
		Files   []string `json:"files"`
		Diff    string   `json:"diff"`
	}{head("formatted"), len(f.Files) > 0, f.Written, list(f.Files), f.Diff})
}

// Plan is the document of plan, and a line of apply. The policy's warnings stand beside the host's.
func (j *JSON) Plan(p *reconcile.Plan) error {
	if j.Stream {
		return j.write(struct {
			header
			Plan *reconcile.Plan `json:"plan"`
		}{head("plan"), j.withDiagnostics(p)})
	}
	return j.write(j.withDiagnostics(p))
}

// withDiagnostics adds the waiting warnings to a copy of the plan.
func (j *JSON) withDiagnostics(p *reconcile.Plan) *reconcile.Plan {
	merged := *p
	merged.Warnings = append([]reconcile.Warning{}, p.Warnings...)
	for _, d := range j.diagnostics {
		merged.Warnings = append(merged.Warnings, reconcile.Warning{Summary: d.Summary, Detail: d.Detail, Range: d.Range})
	}
	return &merged
}

// Step is a line of apply.
func (j *JSON) Step(step string, at time.Time) error {
	return j.write(struct {
		header
		Step string    `json:"step"`
		Time time.Time `json:"time"`
	}{head("step"), step, at.UTC().Round(time.Millisecond)})
}

// Report is the last line of an apply that ran.
func (j *JSON) Report(r *reconcile.Report) error {
	return j.write(struct {
		header
		Report *reconcile.Report `json:"report"`
	}{head("report"), r})
}

// Version is the document of version.
func (j *JSON) Version(v Version) error {
	return j.write(struct {
		header
		Version
	}{head("version"), v})
}

// Failure is the document of a command that failed, or the last line of a stream.
func (j *JSON) Failure(f Failure) error {
	type failure struct {
		Kind     string `json:"kind"`
		ExitCode int    `json:"exit_code"`
		Message  string `json:"message"`
		Hint     string `json:"hint"`
	}
	return j.write(struct {
		header
		Error       failure            `json:"error"`
		Diagnostics policy.Diagnostics `json:"diagnostics"`
	}{head("error"), failure(f), j.diagnostics})
}
