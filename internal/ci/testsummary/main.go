// Command testsummary reads the events of `go test -json` from standard input, prints what a person wants to see of
// them, and closes with "N passed, N failed, N skipped". Its exit status is 1 when a test failed, when a package did
// not build, or when root skipped a test whose reason starts with "needs ": whoever may do everything has no excuse.
package main

import (
	"fmt"
	"os"
)

func main() {
	s, err := summarize(os.Stdin, os.Stdout, os.Geteuid() == 0)
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: read test events: %v\n", err)
		os.Exit(1)
	}
	if !s.ok() {
		os.Exit(1)
	}
}
