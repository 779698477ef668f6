package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tcpguard/tcpguard/bench/report"
)

// output says where tables go: always to standard output, and into a file when one is named.
type output struct {
	markdown bool
	file     string
}

// The lines between which a file's tables stand.
const begin, end = "<!-- benchmark table: begin (filled from `make bench`) -->\n", "<!-- benchmark table: end -->"

func (b *bench) report(tables []*report.Table, out output) {
	b.printAll(os.Stdout, tables, out.markdown)
	if out.file == "" {
		return
	}
	old, err := os.ReadFile(out.file)
	if err != nil {
		b.Fatalf("read the file to put tables into: %v", err)
	}
	var text strings.Builder
	b.printAll(&text, tables, true)
	updated, ok := between(string(old), text.String())
	if !ok {
		b.Fatalf("%s has no lines %q and %q", out.file, strings.TrimSpace(begin), end)
	}
	if err := os.WriteFile(out.file, []byte(updated), 0o644); err != nil {
		b.Fatalf("write tables: %v", err)
	}
}

func (b *bench) printAll(w io.Writer, tables []*report.Table, markdown bool) {
	fmt.Fprintln(w, b.where())
	for _, t := range tables {
		fmt.Fprintln(w)
		t.Print(w, markdown)
	}
}

// between replaces what stands between the two marks.
func between(old, text string) (string, bool) {
	head, rest, ok := strings.Cut(old, begin)
	_, tail, closed := strings.Cut(rest, end)
	return head + begin + text + end + tail, ok && closed
}
