package drill

import (
	"math"
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

// budget is how much a legitimate client does in one scenario: at most half of what the policy lets it, so that whoever
// is refused is refused by mistake.
type budget struct {
	held  int // connections of one source at a time
	total int // connections of one source in the whole scenario
	// The same for all sources together, where a limit is per total.
	allHeld, allTotal int
}

const unlimited = math.MaxInt32

// margin is the share of a limit that legitimate clients use. Retransmitted SYNs count as new connections to a limit
// that drops, and a connection that closes is counted a little longer than it lives.
const margin = 0.5

// budgetOf reads a policy's limits for a scenario that lasts d.
func budgetOf(p policy.Policy, d, timeout time.Duration) budget {
	b := budget{unlimited, unlimited, unlimited, unlimited}
	if c := p.Connection; c != nil {
		n := part(float64(c.Max))
		if c.Per == policy.PerTotal {
			b.allHeld = n
		} else {
			b.held = n
		}
	}
	if r := p.Rate; r != nil {
		n := part(admitted(*r, d))
		if r.Per == policy.PerTotal {
			b.allTotal = n
		} else {
			b.total = n
		}
	}
	// A client that is not answered holds its connection until it gives up, so these bound each other.
	patient := max(1, int(d/timeout))
	b.total = min(b.total, product(b.held, patient))
	b.allTotal = min(b.allTotal, product(b.allHeld, patient))
	return b
}

// admitted is how many connections, evenly spread over d, a rate limit lets through at least.
func admitted(r policy.RateLimit, d time.Duration) float64 {
	windows := float64(d) / float64(r.Rate.Interval)
	if r.Window == policy.WindowFixed {
		return float64(r.Rate.Count) * max(1, math.Floor(windows))
	}
	return float64(r.Burst) + float64(r.Rate.Count)*windows
}

func part(n float64) int { return max(1, int(min(n*margin, unlimited))) }

func product(a, b int) int { return int(min(float64(a)*float64(b), unlimited)) }
