// Command dataplane measures what packets cost and what legitimate clients get while a host is attacked, for tcpguard
// beside other defences set up in the same run:
//
//	go run ./bench/dataplane [-markdown] [-quick] [-only cost,calm,service,bans]
//
// It needs root, Linux 6.6, two processors, and as peers the Debian packages iptables and nftables. It makes network
// namespaces of its own and never touches the one it is started in; they are gone when it ends, also after Ctrl-C. A
// full run takes up to eight minutes. Rounds are interleaved, so that a machine whose speed drifts favours nobody, and
// medians are shown. It states what it measured beside the targets and judges nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/bench/report"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

func main() {
	markdown := flag.Bool("markdown", false, "print Markdown tables")
	quick := flag.Bool("quick", false, "fewer rounds, shorter attacks, fewer peers: at most 90 seconds")
	only := flag.String("only", "cost,calm,service,bans", "parts to run, separated by commas")
	rows := flag.String("rows", "", "only defences whose name contains one of these, separated by commas")
	flag.Parse()
	os.Exit(run(*quick, *markdown, strings.Split(*only, ","), *rows))
}

// scale is how long a run measures.
type scale struct {
	rounds  int           // of cost and calm
	warm    time.Duration // CPU time of an attack before each measurement
	window  time.Duration // CPU time measured in a round of cost
	calm    time.Duration // wall time of a round of calm
	attack  time.Duration // wall time of a scenario of service
	million int           // bans in the big table
}

var (
	full  = scale{rounds: 5, warm: 80 * time.Millisecond, window: 180 * time.Millisecond, calm: 300 * time.Millisecond, attack: 1200 * time.Millisecond, million: 1_000_000}
	brief = scale{rounds: 2, warm: 40 * time.Millisecond, window: 60 * time.Millisecond, calm: 200 * time.Millisecond, attack: 400 * time.Millisecond, million: 50_000}
)

// run is apart from main so that deferred cleanups happen before the process exits.
func run(quick, markdown bool, parts []string, rows string) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{ctx: ctx, started: time.Now(), scale: full, quick: quick}
	if quick {
		b.scale = brief
	}
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case ended:
			fmt.Fprintf(os.Stderr, "%s: %s\n", failure.kind, failure.message)
			code = 1
		default:
			panic(failure)
		}
	}()
	defer b.cleanup()
	nettest.Need(b)
	nettest.NeedProgram(b, "nft")
	b.makeRoom()

	defences := b.defences(rows)
	var tables []*report.Table
	for _, part := range []struct {
		name string
		run  func(*bench, []*defence) []*report.Table
	}{{"cost", costs}, {"calm", calms}, {"service", services}, {"bans", bans}} {
		if slices.Contains(parts, part.name) {
			b.scope(func() { tables = append(tables, part.run(b, defences)...) })
		}
	}
	fmt.Println(b.where())
	for _, t := range tables {
		fmt.Println()
		t.Print(os.Stdout, markdown)
	}
	return 0
}

// where says on what the figures were measured.
func (b *bench) where() string {
	var name unix.Utsname
	_ = unix.Uname(&name)
	return fmt.Sprintf("Linux %s, %d processors, %s; %d interleaved rounds, medians; measured in %.0f s.",
		unix.ByteSliceToString(name.Release[:]), runtime.NumCPU(), runtime.Version(), b.scale.rounds, time.Since(b.started).Seconds())
}
