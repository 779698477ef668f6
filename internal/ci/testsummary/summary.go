package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`. Lines that are not JSON come from the go command.
type event struct {
	Action     string
	Package    string
	ImportPath string // instead of Package in build events
	Test       string
	Output     string
	Elapsed    float64
}

// summary counts tests and subtests, and packages that failed without a test to blame.
type summary struct {
	passed, failed, skipped int
	refused                 []string // tests skipped with "needs ..." by somebody who has it
}

func (s summary) ok() bool { return s.failed == 0 && len(s.refused) == 0 }

// needs finds the reason of a skip in a test's output, whether testing.T or a script engine printed it.
var needs = regexp.MustCompile(`(?m)(?:^\s*|: |SKIP: |skip )['"]?(needs [^\n'"]*)`)

// summarize follows the events. Output is held back until its test ends and shown only if that failed.
func summarize(in io.Reader, out io.Writer, root bool) (summary, error) {
	var s summary
	type key struct{ pkg, test string }
	output := map[key]*strings.Builder{}
	failedIn := map[string]bool{}
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), 16<<20)
	for scanner.Scan() {
		var e event
		if json.Unmarshal(scanner.Bytes(), &e) != nil {
			fmt.Fprintln(out, scanner.Text())
			continue
		}
		k := key{e.Package, e.Test}
		if output[k] == nil {
			output[k] = &strings.Builder{}
		}
		switch {
		case e.Action == "build-output":
			fmt.Fprint(out, e.Output)
		case e.Action == "output":
			output[k].WriteString(e.Output)
		case e.Action == "pass" && e.Test != "":
			s.passed++
		case e.Action == "fail" && e.Test != "":
			s.failed++
			failedIn[e.Package] = true
			fmt.Fprint(out, output[k])
		case e.Action == "skip" && e.Test != "":
			s.skipped++
			if reason := needs.FindStringSubmatch(output[k].String()); reason != nil && root {
				s.refused = append(s.refused, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason[1]))
			}
		case e.Action == "fail":
			// A build failure, a panic outside a test or a failing TestMain has no test to count.
			if !failedIn[e.Package] {
				s.failed++
				fmt.Fprint(out, output[k])
			}
			fmt.Fprintf(out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
		case e.Action == "pass":
			fmt.Fprintf(out, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
		}
		if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
			delete(output, k)
		}
	}
	if err := scanner.Err(); err != nil {
		return s, err
	}
	slices.Sort(s.refused)
	for _, r := range s.refused {
		fmt.Fprintf(out, "skipped although root runs it: %s\n", r)
	}
	// A run without a single test is a broken run, whatever its exit status.
	if s.passed+s.failed+s.skipped == 0 {
		s.failed++
		fmt.Fprintln(out, "no test ran")
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	return s, nil
}
