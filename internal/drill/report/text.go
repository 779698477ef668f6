package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the document for programs.
func (d *Document) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// WriteText writes what a person at a terminal wants to know.
func (d *Document) WriteText(w io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "scenario\tserved without\twith\tp99 without\twith\trequests/s with\tattack/s\tdropped by policy\t")
	for _, s := range d.Scenarios {
		if s.Skipped != "" {
			fmt.Fprintf(table, "%s\tskipped: %s\t\n", s.Name, s.Skipped)
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%.0f\t%s\t%s\t\n", s.Name, s.Without.success(), s.With.success(), s.Without.p99(), s.With.p99(),
			s.With.Judged.PerSecond, Number(uint64(s.With.Attack.PerSecond)), Number(s.With.dropped()))
	}
	// A strings.Builder never fails.
	_ = table.Flush()
	for _, s := range d.Scenarios {
		if s.With != nil && len(s.With.FalsePositives.Banned) > 0 {
			fmt.Fprintf(&b, "\nbanned by mistake in %s: %s", s.Name, strings.Join(s.With.FalsePositives.Banned, ", "))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", d.Verdict().Headline)
	for _, o := range d.Requirements {
		if o.Met {
			fmt.Fprintf(&b, "met:     %s\n", o.Text)
		} else {
			fmt.Fprintf(&b, "not met: %s in %s\n", o.Text, strings.Join(o.Unmet, ", "))
		}
	}
	if busy := d.Busy(); busy != "" {
		fmt.Fprintf(&b, "note: %s\n", busy)
	}
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Met says that every requirement is.
func (d *Document) Met() bool {
	for _, o := range d.Requirements {
		if !o.Met {
			return false
		}
	}
	return true
}

func (s *Side) success() string {
	if s == nil || s.Judged.Success == nil {
		return "-"
	}
	return Percent(*s.Judged.Success)
}

func (s *Side) p99() string {
	if s == nil || s.Judged.P99 == nil {
		return "-"
	}
	return Latency(*s.Judged.P99)
}

// dropped adds up what tcpguard's counters say was refused. Counters of what was let through or was only looked at end
// in a word for it.
func (s *Side) dropped() (n uint64) {
	if s == nil {
		return 0
	}
	for _, c := range s.Counters {
		if c.refuses() {
			n += c.Value
		}
	}
	return n
}

// refuses says whether a counter counts packets that went no further.
func (c Count) refuses() bool {
	if strings.HasPrefix(c.Name, "management") {
		return false
	}
	for _, suffix := range []string{".accepted", ".allow", ".challenged", ".added"} {
		if strings.HasSuffix(c.Name, suffix) {
			return false
		}
	}
	return true
}
