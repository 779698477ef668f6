package report

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/drill/traffic"
)

func ms(n ...int) []time.Duration {
	out := make([]time.Duration, len(n))
	for i, v := range n {
		out[i] = time.Duration(v) * time.Millisecond
	}
	return out
}

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i+1) * time.Millisecond
	}
	for _, tt := range []struct {
		name   string
		values []time.Duration
		p      float64
		want   int
	}{
		{"of one value it is that one", ms(7), 50, 7},
		{"the median of two is the lower, which was measured", ms(1, 9), 50, 1},
		{"the median of three", ms(1, 5, 9), 50, 5},
		{"99 of a hundred", hundred, 99, 99},
		{"just above 99", hundred, 99.01, 100},
		{"all", hundred, 100, 100},
		{"so small a share that it is none", hundred, 0.001, 1},
		{"99 of ten is the largest", ms(1, 1, 1, 1, 1, 1, 1, 1, 1, 40), 99, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Percentile(tt.values, tt.p); got != time.Duration(tt.want)*time.Millisecond {
				t.Errorf("got %v, want %d ms", got, tt.want)
			}
		})
	}
}

func sample(group string, at, latency int, o traffic.Outcome) traffic.Sample {
	return traffic.Sample{
		Group: group, Source: netip.MustParseAddr("192.0.2.1"), Start: time.Duration(at) * time.Millisecond,
		Latency: time.Duration(latency) * time.Millisecond, Outcome: o,
	}
}

func TestMeasure(t *testing.T) {
	samples := []traffic.Sample{
		sample("visitors", 0, 3, traffic.Served), sample("visitors", 99, 1, traffic.Served), sample("visitors", 100, 900, traffic.Lost),
		sample("innocent", 399, 2, traffic.Served), sample("innocent", 250, 1, traffic.Refused),
	}
	var s Side
	s.Measure(samples, "", 400*time.Millisecond)
	if r := s.Judged; r.Requests != 5 || r.Served != 3 || r.Refused != 1 || r.Lost != 1 || *r.Success != 60 || r.PerSecond != 7.5 {
		t.Errorf("of all: %+v, success %v", r, *r.Success)
	}
	if *s.Judged.P50 != 0.002 || *s.Judged.P99 != 0.003 {
		t.Errorf("latencies of what was not served count: p50 %v, p99 %v", *s.Judged.P50, *s.Judged.P99)
	}
	if want := []Tick{{2, 2}, {1, 0}, {1, 0}, {1, 1}}; len(s.Timeline) != 4 || s.Timeline[0] != want[0] || s.Timeline[1] != want[1] || s.Timeline[2] != want[2] || s.Timeline[3] != want[3] {
		t.Errorf("timeline %v, want %v", s.Timeline, want)
	}
	s.Measure(samples, "innocent", 400*time.Millisecond)
	if s.Judged.Requests != 2 || *s.Judged.Success != 50 {
		t.Errorf("of the innocent: %+v", s.Judged)
	}
	if len(s.Groups) != 2 || s.Groups[0].Name != "innocent" || s.Groups[1].Requests != 3 {
		t.Errorf("groups %+v", s.Groups)
	}
	s.Measure(nil, "", time.Second)
	if s.Judged.Success != nil || s.Judged.P99 != nil {
		t.Error("nothing measured gives a figure")
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Percent(100), "100 %"}, {Percent(99.999), "99.9 %"}, {Percent(99.94), "99.9 %"}, {Percent(98.96), "99.0 %"}, {Percent(0), "0 %"}, {Percent(0.001), "0.1 %"},
		{Latency(0.00004), "0.0 ms"}, {Latency(0.0034), "3.4 ms"}, {Latency(0.0499), "50 ms"}, {Latency(0.9999), "1.0 s"}, {Latency(1.26), "1.3 s"},
		{Number(0), "0"}, {Number(999), "999"}, {Number(1000), "1,000"}, {Number(1234567), "1,234,567"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
