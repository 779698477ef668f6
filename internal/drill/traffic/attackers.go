package traffic

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Attackers complete handshakes: their addresses are their own, and what they do looks like a client's doing until it
// is counted.
type Attackers struct {
	Space   Space
	Sources []netip.Addr // in turn
	Targets []netip.AddrPort
	PerSec  int           // connections attempted in a second, by all of them
	Hold    int           // connections kept at most, 0: each is closed after one request
	Trickle time.Duration // between two bytes sent on each held connection; 0: they are silent
}

// Tally is what attackers got.
type Tally struct {
	Attempts    uint64
	Established uint64
}

// inFlight bounds the attempts that wait for an answer, and patience how long each does.
const (
	inFlight = 512
	patience = 500 * time.Millisecond
)

// Run attacks until the context is done; then every connection is closed.
func (a Attackers) Run(ctx context.Context) Tally {
	var tried, made atomic.Uint64
	var attempts sync.WaitGroup
	var held hoard
	flying := make(chan struct{}, inFlight)
	interval := time.Second / time.Duration(a.PerSec)
	if a.Trickle > 0 {
		attempts.Go(func() { held.trickle(ctx, a.Trickle) })
	}
	start := time.Now()
	for n := 0; pause(ctx, time.Until(start.Add(time.Duration(n)*interval))); n++ {
		if a.Hold > 0 && held.size() >= a.Hold {
			start = start.Add(interval)
			n--
			continue
		}
		select {
		case flying <- struct{}{}:
		default:
			continue // everything waits: this attempt is not made
		}
		tried.Add(1)
		source, target := a.Sources[n%len(a.Sources)], a.Targets[n/len(a.Sources)%len(a.Targets)]
		attempts.Go(func() {
			defer func() { <-flying }()
			if a.attempt(source, target, &held) {
				made.Add(1)
			}
		})
	}
	attempts.Wait()
	held.release()
	return Tally{Attempts: tried.Load(), Established: made.Load()}
}

func (a Attackers) attempt(source netip.Addr, target netip.AddrPort, held *hoard) bool {
	deadline := time.Now().Add(patience)
	c, err := dial(a.Space, source, target, deadline)
	switch {
	case err != nil:
		return false
	case a.Hold > 0:
		held.keep(c)
	default:
		// Whether it was answered does not matter: the server's work is done.
		_ = c.exchange(deadline)
		c.abort()
	}
	return true
}

// hoard is the connections an attacker holds.
type hoard struct {
	mu    sync.Mutex
	conns []*conn
}

func (h *hoard) keep(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, c)
}

func (h *hoard) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// trickle sends a byte on each connection now and then, so that no read of the server times out.
func (h *hoard) trickle(ctx context.Context, every time.Duration) {
	for pause(ctx, every) {
		h.mu.Lock()
		conns := h.conns
		h.mu.Unlock()
		for _, c := range conns {
			// A connection that was cut stays in the hoard: the attacker has not noticed.
			_ = c.SetWriteDeadline(time.Now().Add(time.Millisecond))
			_, _ = c.Write([]byte{'x'})
		}
	}
}

func (h *hoard) release() {
	for _, c := range h.conns {
		c.abort()
	}
	h.conns = nil
}
