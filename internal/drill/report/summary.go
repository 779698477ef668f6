package report

import (
	"math"
	"slices"
	"time"

	"github.com/tcpguard/tcpguard/internal/drill/traffic"
)

// TickLength is the resolution of a timeline.
const TickLength = 100 * time.Millisecond

// Percentile gives the value below or at which p percent of the values lie, by nearest rank, so that it is one that was
// measured: p is above 0 and at most 100, values are sorted and not empty.
func Percentile(values []time.Duration, p float64) time.Duration {
	rank := int(math.Ceil(p / 100 * float64(len(values))))
	return values[max(rank, 1)-1]
}

// Summarize sums up requests made within the window.
func Summarize(samples []traffic.Sample, window time.Duration) Result {
	r := Result{Requests: len(samples)}
	var latencies []time.Duration
	for _, s := range samples {
		switch s.Outcome {
		case traffic.Served:
			latencies = append(latencies, s.Latency)
		case traffic.Refused:
			r.Refused++
		default:
			r.Lost++
		}
	}
	r.Served = len(latencies)
	r.PerSecond = float64(r.Served) / window.Seconds()
	if r.Requests > 0 {
		success := 100 * float64(r.Served) / float64(r.Requests)
		r.Success = &success
	}
	if r.Served > 0 {
		slices.Sort(latencies)
		p50, p99 := Percentile(latencies, 50).Seconds(), Percentile(latencies, 99).Seconds()
		r.P50, r.P99 = &p50, &p99
	}
	return r
}

// Measure fills in what a side's samples say.
func (s *Side) Measure(samples []traffic.Sample, judged string, window time.Duration) {
	groups := map[string][]traffic.Sample{}
	names := []string{}
	for _, sample := range samples {
		if _, ok := groups[sample.Group]; !ok {
			names = append(names, sample.Group)
		}
		groups[sample.Group] = append(groups[sample.Group], sample)
	}
	slices.Sort(names)
	s.Groups = []Group{}
	for _, name := range names {
		s.Groups = append(s.Groups, Group{name, Summarize(groups[name], window)})
	}
	if judged != "" {
		samples = groups[judged]
	}
	s.Judged = Summarize(samples, window)
	s.Timeline = timeline(samples, window)
}

func timeline(samples []traffic.Sample, window time.Duration) []Tick {
	ticks := make([]Tick, (window+TickLength-1)/TickLength)
	for _, s := range samples {
		i := min(int(s.Start/TickLength), len(ticks)-1)
		ticks[i].Requests++
		if s.Outcome == traffic.Served {
			ticks[i].Served++
		}
	}
	return ticks
}
