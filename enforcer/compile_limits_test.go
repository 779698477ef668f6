package enforcer

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

func TestTokenBucketUnits(t *testing.T) {
	tests := []struct {
		count    uint64
		interval time.Duration
		want     string // rate per unit
	}{
		{20, time.Minute, "limit rate over 20/minute burst 5 packets"},
		{20, time.Second, "limit rate over 20/second burst 5 packets"},
		{3, 500 * time.Millisecond, "limit rate over 6/second burst 5 packets"},
		{60, time.Minute, "limit rate over 1/second burst 5 packets"},
		{7, 90 * time.Second, "limit rate over 280/hour burst 5 packets"},
		{1, 7 * time.Second, "limit rate over 86400/week burst 5 packets"},
		{1, 11 * time.Second, "limit rate over 54981/week burst 5 packets"}, // rounded down
		{5, 24 * time.Hour, "limit rate over 5/day burst 5 packets"},
		{1, 7 * 24 * time.Hour, "limit rate over 1/week burst 5 packets"},
	}
	for _, tt := range tests {
		r := policy.Rate{Count: tt.count, Interval: tt.interval}
		got, err := tokenBucket(r, 5)
		if err != nil || got.nft() != tt.want {
			t.Errorf("%s: got %q, %v; want %q", rateText(r), got.nft(), err, tt.want)
		}
	}
}

// Whatever the rate, the kernel's bucket refills no faster than declared, and no slower than 1 in 50000 of it.
func TestTokenBucketNeverAdmitsMore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		r := policy.Rate{Count: 1 + random.Uint64N(5000), Interval: time.Duration(1+random.Int64N(int64(36000))) * 100 * time.Millisecond}
		l, err := tokenBucket(r, 1)
		if err != nil {
			continue // slower than one a week, or beyond the kernel's arithmetic: refused by name
		}
		declared := float64(r.Count) / r.Interval.Seconds()
		held := float64(l.Rate) / float64(l.Unit)
		if held > declared*(1+1e-12) {
			t.Fatalf("%s became %s: faster than declared", rateText(r), l.nft())
		}
		if declared >= 0.1 && held < declared*(1-2e-5) {
			t.Fatalf("%s became %s: slower by more than 1 in 50000", rateText(r), l.nft())
		}
	}
}

// bucket is nft_limit_eval on one element, in nanoseconds: what the kernel does with a LimitOver.
type bucket struct{ tokens, max, cost, last uint64 }

func newBucket(l LimitOver) *bucket {
	cost := uint64(l.Unit) * uint64(time.Second) / l.Rate
	return &bucket{tokens: cost * uint64(l.Burst), max: cost * uint64(l.Burst), cost: cost}
}

func (b *bucket) over(now uint64) bool {
	b.tokens = min(b.tokens+now-b.last, b.max)
	b.last = now
	if b.tokens >= b.cost {
		b.tokens -= b.cost
		return false
	}
	return true
}

// A fixed window admits its count to the packet, however the arrivals fall into it.
func TestFixedWindowAdmitsExactlyItsCount(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		r := policy.Rate{Count: 1 + random.Uint64N(300), Interval: time.Duration(1 + random.Int64N(int64(6*24*time.Hour)))}
		l, err := fixedWindow(r)
		if err != nil {
			t.Fatalf("%s: %v", rateText(r), err)
		}
		b, admitted, now := newBucket(l), uint64(0), uint64(0)
		for range 2 * r.Count {
			if !b.over(now) {
				admitted++
			}
			now = min(now+random.Uint64N(uint64(r.Interval)/r.Count+1), uint64(r.Interval))
		}
		for ; now < uint64(r.Interval); now += uint64(r.Interval)/10 + 1 {
			if !b.over(now) {
				admitted++
			}
		}
		if admitted != r.Count {
			t.Fatalf("%s as %s: admitted %d", rateText(r), l.nft(), admitted)
		}
	}
}

func TestLimitsTheKernelCannotHold(t *testing.T) {
	grouping := grouping(policy.PerSource, policy.OnFullDrop)
	tests := []struct {
		name   string
		limit  policy.RateLimit
		reason string
	}{
		{"slower than one a week", policy.RateLimit{Rate: policy.Rate{Count: 1, Interval: 8 * 24 * time.Hour}, Burst: 1, Window: policy.WindowToken}, "slower than one a week"},
		{"burst beyond 64 bits", policy.RateLimit{Rate: policy.Rate{Count: 1, Interval: 7 * 24 * time.Hour}, Burst: 40000, Window: policy.WindowToken}, "overflows the kernel's token arithmetic"},
		{"fixed window of a week", policy.RateLimit{Rate: policy.Rate{Count: 1, Interval: 7 * 24 * time.Hour}, Burst: 1, Window: policy.WindowFixed}, "must be shorter than a week"},
		{"fixed window too large", policy.RateLimit{Rate: policy.Rate{Count: math.MaxUint32, Interval: 6 * 24 * time.Hour}, Burst: 1, Window: policy.WindowFixed}, "overflows"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := webPolicy("web", ports(80, 80))
			tt.limit.Grouping, tt.limit.Range = grouping, policy.Range{File: "web.hcl", Line: 7, Column: 3}
			p.Rate = &tt.limit
			_, err := Compile(&policy.Bundle{Policies: []policy.Policy{p}})
			var refused *CompileError
			if !errors.As(err, &refused) || refused.Address != "policy.web.rate_limit" || refused.Range.Line != 7 {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(refused.Reason, tt.reason) {
				t.Errorf("reason %q does not say %q", refused.Reason, tt.reason)
			}
		})
	}
}

func TestRefillForgetsNothing(t *testing.T) {
	for _, tt := range []struct {
		rate  policy.Rate
		burst uint32
		least time.Duration
	}{
		{policy.Rate{Count: 20, Interval: time.Minute}, 20, time.Minute},
		{policy.Rate{Count: 1000, Interval: time.Second}, 10, 10 * time.Millisecond},
		{policy.Rate{Count: 1, Interval: time.Hour}, 3, 3 * time.Hour},
	} {
		if got := refill(tt.rate, tt.burst); got < tt.least || got > tt.least+2*time.Second || got%time.Second != 0 {
			t.Errorf("%s burst %d: %s, want whole seconds just over %s", rateText(tt.rate), tt.burst, got, tt.least)
		}
	}
}

func TestTimesAndPrioritiesPrintAsNftDoes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1m", 61 * time.Second: "1m1s", 1500 * time.Millisecond: "1s500ms", 49 * time.Hour: "2d1h",
	} {
		if got := timeText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for p, want := range map[int32]string{-310: "raw - 10", -10: "filter - 10", 0: "filter", 5: "filter + 5", -200: "-200"} {
		if got := priorityText(p); got != want {
			t.Errorf("%d: %q, want %q", p, got, want)
		}
	}
}
