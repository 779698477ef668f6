package traffic

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Clients is what all legitimate clients have in common.
type Clients struct {
	Space    Space
	Recorder *Recorder
	Timeout  time.Duration // of a request with the connection it needs: after that the user has gone
}

// Visitors are many users who each open a connection, ask once and leave. They come at a given rate whatever becomes of
// those before them, so a service that stalls cannot hide the requests that were not made meanwhile.
type Visitors struct {
	Group   string
	Sources []netip.Addr // in turn
	Targets []netip.AddrPort
	After   time.Duration // before the first may arrive
	Every   time.Duration // between two arrivals, on average
	Most    int           // visits in all; 0: not bounded
}

// Visit lets visitors come until the context is done, and waits for the last of them.
func (c Clients) Visit(ctx context.Context, v Visitors) {
	var visits sync.WaitGroup
	defer visits.Wait()
	start := time.Now().Add(v.After)
	for i := 0; v.Most == 0 || i < v.Most; i++ {
		// Evenly spread, each within its own interval: a source never comes faster than the policy was asked to bear.
		at := time.Duration(i)*v.Every + rand.N(v.Every)/2
		if !pause(ctx, time.Until(start.Add(at))) {
			return
		}
		source, target := v.Sources[i%len(v.Sources)], v.Targets[i/len(v.Sources)%len(v.Targets)]
		visits.Go(func() { c.visit(v.Group, source, target) })
	}
}

func (c Clients) visit(group string, source netip.Addr, target netip.AddrPort) {
	began := time.Now()
	deadline := began.Add(c.Timeout)
	conn, err := dial(c.Space, source, target, deadline)
	if err == nil {
		err = conn.exchange(deadline)
		conn.Close()
	}
	c.Recorder.add(group, source, began, err)
}

// Regular is one user who keeps a connection and asks again and again.
type Regular struct {
	Group  string
	Source netip.Addr
	Target netip.AddrPort
	Every  time.Duration // between two requests
	Hold   time.Duration // before the connection is made anew; 0: kept to the end
}

// retryAfter is how long a user waits after a failure, as browsers do.
const retryAfter = time.Second

// Use lets a regular ask until the context is done.
func (c Clients) Use(ctx context.Context, r Regular) {
	for pause(ctx, rand.N(r.Every)) {
		if err := c.session(ctx, r); err != nil && !pause(ctx, retryAfter) {
			return
		}
	}
}

// session is one connection of a regular. The first request's latency includes the handshake.
func (c Clients) session(ctx context.Context, r Regular) error {
	opened := time.Now()
	conn, err := dial(c.Space, r.Source, r.Target, opened.Add(c.Timeout))
	if err != nil {
		c.Recorder.add(r.Group, r.Source, opened, err)
		return err
	}
	defer conn.Close()
	for began := opened; ; began = time.Now() {
		err := conn.exchange(began.Add(c.Timeout))
		c.Recorder.add(r.Group, r.Source, began, err)
		if err != nil || r.Hold > 0 && time.Since(opened) > r.Hold || !pause(ctx, r.Every) {
			return err
		}
	}
}
