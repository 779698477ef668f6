package view

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
)

// secondColumn is where places, reasons and consequences begin, counted from 0.
const secondColumn = 41

// Plan lists the changes by address, then what they come to.
func (t *Text) Plan(p *reconcile.Plan) error {
	if err := t.warnings(p.Warnings); err != nil {
		return err
	}
	if err := writePlan(t.out, p, t.style); err != nil {
		return err
	}
	_, err := fmt.Fprintln(t.out, planLine(p))
	return err
}

// warnings shows what is said of the host in the form of what is said of a file.
func (t *Text) warnings(ws []reconcile.Warning) error {
	var ds policy.Diagnostics
	for _, w := range ws {
		ds = append(ds, policy.Diagnostic{Severity: policy.SeverityWarning, Summary: w.Summary, Detail: w.Detail, Range: w.Range})
	}
	return t.Diagnostics(ds)
}

// planLine is the closing line of a plan.
func planLine(p *reconcile.Plan) string {
	s := p.Summary
	switch {
	case p.Empty() && p.Destroy:
		return "No changes. Nothing of tcpguard is on this host."
	case p.Empty():
		return "No changes. This host matches the policy."
	}
	return fmt.Sprintf("Plan: %d to add, %d to change, %d to remove, %d to repair.", s.Add, s.Change, s.Remove, s.Repair)
}

// writePlan writes the changes and the notes, and a blank line behind them if there were any.
func writePlan(w io.Writer, p *reconcile.Plan, s Style) error {
	b := bufio.NewWriter(w)
	place := places(p.Changes)
	for _, c := range p.Changes {
		writeChange(b, c, place(c.Range), s)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(b, "  %s %s\n", s.paint(faint, "note:"), n)
	}
	if len(p.Changes)+len(p.Notes) > 0 {
		b.WriteByte('\n')
	}
	return b.Flush()
}

// places gives the way to write a place in this plan: by the file's base name, unless two files share it.
func places(changes []reconcile.Change) func(policy.Range) string {
	full := map[string]string{}
	shared := map[string]bool{}
	for _, c := range changes {
		base := filepath.Base(c.Range.File)
		if other, ok := full[base]; ok && other != c.Range.File {
			shared[base] = true
		}
		full[base] = c.Range.File
	}
	return func(r policy.Range) string {
		if base := filepath.Base(r.File); r.File != "" && !shared[base] {
			r.File = base
		}
		return r.String()
	}
}

// writeChange writes the heading of one change and a line for each value that differs. What is new to the kernel
// stands beside its place; the reason for a removal or a repair takes that column, because it is what to look at.
func writeChange(w io.Writer, c reconcile.Change, place string, s Style) {
	remarks := c.Notes
	heading := place
	switch {
	case c.Reason == "", c.Reason == "declared", c.Reason == "changed":
		// The sign and the values say that already.
	case c.Action == reconcile.ActionDelete || c.Action == reconcile.ActionRepair || place == "":
		heading = c.Reason
	default:
		remarks = append([]string{c.Reason}, remarks...)
	}
	writeColumns(w, "  "+s.sign(c.Action)+" ", 4, s.paint(bold, c.Address), c.Address, heading)

	details := changeDetails(c)
	for i := range max(len(details), len(remarks)) {
		var detail, remark string
		if i < len(details) {
			detail = details[i]
		}
		if i < len(remarks) {
			remark = remarks[i]
		}
		writeColumns(w, "      ", 6, detail, detail, remark)
	}
}

// writeColumns writes a margin of the given width, the text (plain: without colour, to measure it), and the second
// column when there is one.
func writeColumns(w io.Writer, margin string, width int, text, plain, second string) {
	if second == "" {
		fmt.Fprintf(w, "%s%s\n", margin, text)
		return
	}
	pad := max(secondColumn-width-utf8.RuneCountInString(plain), 2)
	fmt.Fprintf(w, "%s%s%s%s\n", margin, text, strings.Repeat(" ", pad), second)
}

// changeDetails gives a line for each value that differs: "max: 64 -> 100". A sysctl has one value and needs no name.
func changeDetails(c reconcile.Change) []string {
	if c.Action == reconcile.ActionCreate && c.Kind == reconcile.KindNFTables {
		return inventory(c.After)
	}
	var lines []string
	for _, a := range reconcile.Changed(c.Before, c.After) {
		name := a.Name + ": "
		if c.Kind == reconcile.KindSysctl && a.Name == "value" {
			name = ""
		}
		switch {
		case c.Action == reconcile.ActionDelete && !a.HasAfter && name != "":
			// What goes away needs no inventory.
		case a.HasBefore && a.HasAfter:
			lines = append(lines, name+a.Before+" -> "+a.After)
		case a.HasAfter:
			lines = append(lines, name+a.After)
		default:
			lines = append(lines, name+a.Before+" -> not set")
		}
	}
	return lines
}

// inventoryWidth is where the values of something new go on in another line, in columns.
const inventoryWidth = 90

// inventory gives all values of something new, several to a line.
func inventory(values reconcile.Attributes) []string {
	var lines []string
	line := ""
	for _, a := range values {
		if a.Value == "" {
			continue
		}
		item := a.Name + ": " + a.Value
		switch {
		case line == "":
			line = item
		case len(line)+len(item) < inventoryWidth:
			line += "; " + item
		default:
			lines = append(lines, line+";")
			line = item
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
