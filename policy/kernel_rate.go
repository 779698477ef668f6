package policy

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// What the kernel's limit can hold (net/netfilter/nft_limit.c): a whole number of packets in a second, minute, hour, day
// or week, each worth whole nanoseconds, and as many of those as the burst holds in 64 bits. The compiler makes the same
// conversion; here it is only asked whether it will succeed, so that a mistake is shown where it is written.

// limitUnits are the units of a limit, the shortest first.
func limitUnits() []time.Duration {
	return []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour, week}
}

const week = 7 * 24 * time.Hour

// bucketProblem says why a token bucket of this rate and burst cannot be, or "".
func bucketProblem(r Rate, burst uint32) string {
	for _, unit := range limitUnits() {
		hi, lo := bits.Mul64(r.Count, uint64(unit))
		if hi >= uint64(r.Interval) {
			continue // more than 64 bits of packets in this unit
		}
		n, rest := bits.Div64(hi, lo, uint64(r.Interval))
		if n > 0 && (rest == 0 || unit == week) {
			return costProblem(uint64(unit)/n, burst)
		}
	}
	return "This is slower than once a week, the slowest that the kernel's limit can hold."
}

// fixedWindowProblem says the same of a window that an element's timeout ends. Its bucket yields the next token only
// after that, at a cost of up to the next longer unit.
func fixedWindowProblem(r Rate) string {
	for _, unit := range limitUnits() {
		if unit > r.Interval {
			return costProblem(uint64(unit)/max(uint64((unit-1)/r.Interval), 1), uint32(min(r.Count, math.MaxUint32)))
		}
	}
	return "The time must be shorter than a week, the longest that the kernel's limit can hold."
}

func costProblem(nanoseconds uint64, burst uint32) string {
	hi, _ := bits.Mul64(nanoseconds, uint64(burst))
	switch {
	case nanoseconds == 0:
		return "This is faster than one in a nanosecond, the fastest that the kernel's limit can hold."
	case hi != 0:
		return fmt.Sprintf("%d at once, in so long a time, are more than the kernel's limit can hold. Lower the number or shorten the time.", burst)
	}
	return ""
}

// bucket reads the rate of a token bucket that holds as much as the rate's number.
func (a args) bucket(name string) (Rate, bool) {
	r, ok := a.rate(name, math.MaxUint32)
	if !ok {
		return r, false
	}
	if problem := bucketProblem(r, uint32(r.Count)); problem != "" {
		a.l.report.errorAt(a.rangeOf(name), "Rate the kernel cannot hold", problem)
		return Rate{}, false
	}
	return r, true
}
