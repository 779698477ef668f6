package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// bench is one run, and a nettest.T: what fails or skips a test ends the benchmark.
type bench struct {
	ctx      context.Context // done on Ctrl-C
	started  time.Time
	scale    scale
	quick    bool
	cleanups []func()
}

var _ nettest.T = (*bench)(nil)

// ended is what Fatalf and Skipf panic with; run recovers it after the cleanups.
type ended struct{ kind, message string }

// Helper is for nettest.T.
func (b *bench) Helper() {}

// Cleanup runs f at the end of the innermost scope.
func (b *bench) Cleanup(f func()) { b.cleanups = append(b.cleanups, f) }

// Logf writes to standard error.
func (b *bench) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Fatalf ends the benchmark.
func (b *bench) Fatalf(format string, args ...any) {
	if b.ctx.Err() != nil {
		panic(ended{"interrupted", "nothing is left behind"})
	}
	panic(ended{"error", fmt.Sprintf(format, args...)})
}

// Skipf ends the benchmark: nothing in it is optional.
func (b *bench) Skipf(format string, args ...any) {
	panic(ended{"error", fmt.Sprintf(format, args...)})
}

// check ends the benchmark on an error, and after Ctrl-C.
func (b *bench) check(what string, err error) {
	if err != nil || b.ctx.Err() != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

func (b *bench) step(format string, args ...any) {
	b.check("interrupted", nil)
	fmt.Fprintf(os.Stderr, "%6.1fs %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

func (b *bench) cleanup() {
	for len(b.cleanups) > 0 {
		last := len(b.cleanups) - 1
		f := b.cleanups[last]
		b.cleanups = b.cleanups[:last]
		f()
	}
}

// scope runs f and then removes what f made.
func (b *bench) scope(f func()) {
	outer := b.cleanups
	b.cleanups = nil
	defer func() {
		b.cleanup()
		b.cleanups = outer
	}()
	f()
}

// makeRoom raises this process's limit of open files as far as it may, for the connections of hoarders.
func (b *bench) makeRoom() {
	var limit unix.Rlimit
	b.check("read the limit of open files", unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	b.check("raise the limit of open files", unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
}

// seat is a thread that stays in a network namespace, so that many goroutines can open sockets there cheaply. It is a
// traffic.Space.
type seat struct{ jobs chan func() }

func (b *bench) sit(ns *nettest.NS) seat {
	s := seat{make(chan func())}
	ready := make(chan error)
	go func() {
		// Never unlocked: the thread dies with this goroutine.
		lockForever()
		ready <- enter(ns)
		for job := range s.jobs {
			job()
		}
	}()
	b.check("enter "+ns.Name(), <-ready)
	b.Cleanup(func() { close(s.jobs) })
	return s
}

// Do runs f in the namespace. Calls wait for each other.
func (s seat) Do(f func() error) error {
	done := make(chan error, 1)
	s.jobs <- func() { done <- f() }
	return <-done
}

// enter moves the calling thread, which must be locked, into a namespace.
func enter(ns *nettest.NS) error {
	fd, err := unix.Open(ns.Path(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", ns.Name(), err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", ns.Name(), err)
	}
	return nil
}
