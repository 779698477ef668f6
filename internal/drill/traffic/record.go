package traffic

import (
	"net/netip"
	"sync"
	"time"
)

// Sample is one request of a legitimate client, from its first SYN where it needed a connection.
type Sample struct {
	Group   string
	Source  netip.Addr
	Start   time.Duration // since the recorder's start
	Latency time.Duration
	Outcome Outcome
}

// Recorder collects samples. Only those that begin within the window count: before it clients warm up.
type Recorder struct {
	start  time.Time
	window time.Duration

	mu      sync.Mutex
	samples []Sample
}

// NewRecorder collects what begins between start and start+window.
func NewRecorder(start time.Time, window time.Duration) *Recorder {
	return &Recorder{start: start, window: window}
}

func (r *Recorder) add(group string, source netip.Addr, began time.Time, err error) {
	s := Sample{Group: group, Source: source, Start: began.Sub(r.start), Latency: time.Since(began), Outcome: outcome(err)}
	if s.Start < 0 || s.Start >= r.window {
		return
	}
	r.mu.Lock()
	r.samples = append(r.samples, s)
	r.mu.Unlock()
}

// Samples gives what was collected. Call it once all clients have ended.
func (r *Recorder) Samples() []Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.samples
}
