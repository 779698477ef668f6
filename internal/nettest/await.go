package nettest

import "time"

// pollInterval is short, because most conditions hold at the first look, and long enough not to starve a machine with
// one processor.
const pollInterval = 2 * time.Millisecond

// Await fails the test unless cond holds before the deadline has passed. It looks at once and then every 2 ms; what
// names the condition in the failure.
func Await(t T, deadline time.Duration, what string, cond func() bool) {
	t.Helper()
	if !poll(deadline, cond) {
		t.Fatalf("not within %v: %s", deadline, what)
	}
}

func poll(deadline time.Duration, cond func() bool) bool {
	for end := time.Now().Add(deadline); ; time.Sleep(pollInterval) {
		if cond() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
