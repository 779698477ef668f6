// Command scale measures tcpguard at the sizes it is made for, against nft(8) doing the same work in the same run:
//
//	go run ./bench/scale [-markdown] [-readme README.md] [-rounds 5] [-only lists,plan,packets]
//
// It needs root, nft and two processors, makes network namespaces of its own, never touches the one it is started in,
// and takes a few minutes. Rounds are interleaved, so that a machine whose speed drifts does not favour anybody, and
// medians are shown. It states what it measured and judges nothing.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/bench/report"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == runnerArgument {
		serveRunner(os.Stdin, os.Stdout)
		return
	}
	markdown := flag.Bool("markdown", false, "print Markdown tables")
	rounds := flag.Int("rounds", 5, "rounds of each comparison, 1 to 100")
	only := flag.String("only", "lists,plan,packets", "parts to run, separated by commas")
	binary := flag.String("tcpguard", "", "program to measure (default: build ./cmd/tcpguard)")
	readme := flag.String("readme", "", "also put the Markdown tables into this file, between its two lines that say \"benchmark table\"")
	flag.Parse()
	if *rounds < 1 || *rounds > 100 {
		fmt.Fprintln(os.Stderr, "error: rounds must be 1 to 100")
		os.Exit(64)
	}
	os.Exit(run(*rounds, strings.Split(*only, ","), *binary, output{*markdown, *readme}))
}

// run is apart from main so that deferred cleanups happen before the process exits.
func run(rounds int, only []string, binary string, out output) (code int) {
	b := &bench{rounds: rounds, started: time.Now()}
	defer func() {
		// fail unwinds to here; everything else is a mistake of this program and may print its stack.
		if failure, ok := recover().(stop); ok {
			fmt.Fprintf(os.Stderr, "%s: %s\n", failure.kind, failure.message)
			code = 1
		}
	}()
	defer b.cleanup()
	// First of all: the runner must be forked while this process is small, see runner.go.
	b.startRunner()
	b.prepare(binary)

	var tables []*report.Table
	for _, part := range []struct {
		name string
		run  func(*bench) []*report.Table
	}{{"lists", lists}, {"plan", plans}, {"packets", packets}} {
		if slices.Contains(only, part.name) {
			tables = append(tables, part.run(b)...)
		}
	}
	b.report(tables, out)
	return 0
}

// bench is one run: the program under test and the scratch folder.
type bench struct {
	rounds   int
	started  time.Time
	folder   string
	tcpguard string
	runner   *runner
	cleanups []func()
}

// prepare builds the program once, so that no measurement contains the compiler.
func (b *bench) prepare(binary string) {
	folder, err := os.MkdirTemp("", "tcpguard-bench-")
	if err != nil {
		b.Fatalf("make a scratch folder: %v", err)
	}
	b.folder = folder
	b.Cleanup(func() { os.RemoveAll(folder) })
	if b.tcpguard = binary; binary != "" {
		return
	}
	b.tcpguard = filepath.Join(folder, "tcpguard")
	b.step("build tcpguard")
	b.must(command{Argv: []string{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.tcpguard, "./cmd/tcpguard"}})
}

func (b *bench) step(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

// where says on what the figures were measured.
func (b *bench) where() string {
	var name unix.Utsname
	_ = unix.Uname(&name)
	nft := strings.TrimSpace(b.must(command{Argv: []string{"nft", "--version"}}).Stdout)
	return fmt.Sprintf("Linux %s, %d processors, %s, %s; %d interleaved rounds, medians.",
		unix.ByteSliceToString(name.Release[:]), runtime.NumCPU(), runtime.Version(), nft, b.rounds)
}
