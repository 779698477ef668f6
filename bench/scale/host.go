package main

import (
	"fmt"
	"os"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// bench is a nettest.T: what fails or skips a test ends the benchmark.
var _ nettest.T = (*bench)(nil)

// stop is what Fatalf and Skipf panic with; run recovers it after the cleanups.
type stop struct{ kind, message string }

func (b *bench) Helper()          {}
func (b *bench) Cleanup(f func()) { b.cleanups = append(b.cleanups, f) }

func (b *bench) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (b *bench) Fatalf(format string, args ...any) {
	panic(stop{"error", fmt.Sprintf(format, args...)})
}

func (b *bench) Skipf(format string, args ...any) {
	panic(stop{"skipped", fmt.Sprintf(format, args...)})
}

func (b *bench) cleanup() {
	for len(b.cleanups) > 0 {
		last := len(b.cleanups) - 1
		f := b.cleanups[last]
		b.cleanups = b.cleanups[:last]
		f()
	}
}

// scope runs f and then removes what f made, so that a million elements of one round do not lie about in the next.
func (b *bench) scope(f func()) {
	outer := b.cleanups
	b.cleanups = nil
	defer func() {
		b.cleanup()
		b.cleanups = outer
	}()
	f()
}
