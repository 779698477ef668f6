package report

import (
	"fmt"
	"strconv"
)

// Latency words seconds as a person reads them: "0.8 ms", "34 ms", "1.2 s".
func Latency(seconds float64) string {
	switch {
	case seconds >= 0.9995:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds >= 0.00995:
		return fmt.Sprintf("%.0f ms", seconds*1000)
	}
	return fmt.Sprintf("%.1f ms", seconds*1000)
}

// Percent words a share so that 100 % is said only of all, and 0 % only of none.
func Percent(p float64) string {
	switch {
	case p == 100 || p == 0:
		return fmt.Sprintf("%.0f %%", p)
	case p > 99.9:
		return "99.9 %"
	case p < 0.1:
		return "0.1 %"
	}
	return fmt.Sprintf("%.1f %%", p)
}

// Number groups thousands: 1,234,567.
func Number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
