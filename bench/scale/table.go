package main

import (
	"fmt"
	"time"
)

func ms(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func mib(kib int64) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

// series is one contestant's rounds.
type series []usage

func (s series) walls() []time.Duration {
	return column(s, func(u usage) time.Duration { return u.Wall })
}
func (s series) cpus() []time.Duration {
	return column(s, func(u usage) time.Duration { return u.CPU })
}
func (s series) peaks() []int64 { return column(s, func(u usage) int64 { return u.PeakKiB }) }

func column[N any](s series, get func(usage) N) []N {
	out := make([]N, len(s))
	for i, u := range s {
		out[i] = get(u)
	}
	return out
}
