package nettest

import (
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Flood sends packets at a rate until it is stopped or the test ends.
type Flood struct {
	sent   atomic.Int64
	failed atomic.Int64
	stop   chan struct{}
	done   chan struct{}
}

// floodTick is how often a Flood looks at how many packets are due.
const floodTick = time.Millisecond

// StartFlood sends what next gives, perSecond packets a second, from the namespace. next is called from one goroutine
// with 0, 1, 2, ...; it gives an IP packet as Segment builds it and where it goes. A machine too slow for the rate
// sends fewer: Sent says how many left.
func StartFlood(t T, ns *NS, perSecond int, next func(i int) (to netip.Addr, packet []byte)) *Flood {
	t.Helper()
	sender := NewSender(t, ns)
	f := &Flood{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.run(sender, perSecond, next)
	}()
	t.Cleanup(f.Stop)
	return f
}

func (f *Flood) run(s *Sender, perSecond int, next func(i int) (netip.Addr, []byte)) {
	ticker := time.NewTicker(floodTick)
	defer ticker.Stop()
	start, sent := time.Now(), 0
	for {
		// At most twenty ticks' worth at once, so that a pause of the scheduler is not followed by a burst that
		// measures nothing but itself.
		due := int(time.Since(start).Seconds() * float64(perSecond))
		for range min(due-sent, max(perSecond/50, 1)) {
			to, packet := next(sent)
			sent++
			if s.send(to, packet) != nil {
				f.failed.Add(1)
				continue
			}
			f.sent.Add(1)
		}
		select {
		case <-f.stop:
			return
		case <-ticker.C:
		}
	}
}

// Sent is how many packets have left so far.
func (f *Flood) Sent() int { return int(f.sent.Load()) }

// Failed is how many packets the sender's own kernel has refused.
func (f *Flood) Failed() int { return int(f.failed.Load()) }

// Stop ends the flood and returns when its last packet has left. It may be called again.
func (f *Flood) Stop() {
	select {
	case <-f.stop:
	default:
		close(f.stop)
	}
	<-f.done
}

func (s *Sender) send(to netip.Addr, packet []byte) error {
	if to.Is4() {
		return unix.Sendto(s.fd4, packet, 0, &unix.SockaddrInet4{Addr: to.As4()})
	}
	return unix.Sendto(s.fd6, packet, 0, &unix.SockaddrInet6{Addr: to.As16()})
}
