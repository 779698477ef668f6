package main

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/bench/report"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// calmWorkers clients ask one after the other; together they use calmSources addresses in turn, so that no source comes
// near a limit.
const calmWorkers, calmSources = 4, 8192

// calms measures how many short connections a second the defences bear when nobody attacks.
func calms(b *bench, defences []*defence) []*report.Table {
	t := &report.Table{
		Title:  "Short connections without an attack: connect, one request of 64 bytes, an answer of 512, close",
		Header: []string{"defence", "requests/s", "of untouched", "CPU a request", "of untouched"},
		Note: fmt.Sprintf("%d clients in a closed loop, and the server, on the same processors; the CPU time is that of all of them. Target for tcpguard: "+
			"at least the rate of %q. Its threshold stands above the traffic, as it should, but for the row that says otherwise.", calmWorkers, meterCount.name),
	}
	var sites []*site
	for _, d := range calmDefences(defences) {
		b.step("set up: %s", d.name)
		s := b.newSite(d)
		b.Cleanup(s.serve(ideal))
		sites = append(sites, s)
	}
	rates, costs := make([][]float64, len(sites)), make([][]float64, len(sites))
	b.step("calm")
	for round := range 2*b.scale.rounds + 1 {
		for i := range sites {
			at := (i + round) % len(sites)
			rate, cost := sites[at].calm(round, b.scale.calm)
			// Round 0 warms caches.
			if round > 0 {
				rates[at], costs[at] = append(rates[at], rate), append(costs[at], cost)
			}
		}
	}
	for i, s := range sites {
		t.Add(s.defence.name, fmt.Sprintf("%.0f", report.Median(rates[i])), report.Times(report.Median(report.Ratios(rates[i], rates[0]))),
			fmt.Sprintf("%.1f µs", report.Median(costs[i])), report.Times(report.Median(report.Ratios(costs[i], costs[0]))))
	}
	return []*report.Table{t}
}

// calmDefences are those that serve, with tcpguard's thresholds above the traffic, and once below it.
func calmDefences(defences []*defence) []*defence {
	var out []*defence
	for _, d := range defences {
		if d.limit {
			continue
		}
		if d.guard == nil {
			out = append(out, d)
			continue
		}
		high := newGuard(d.name, d.guard.policies)
		high.guard.threshold = highThreshold
		out = append(out, high)
		if d.guard.policies == 1 {
			out = append(out, newGuard(d.name+", threshold far below the traffic", 1))
		}
	}
	return out
}

// calm gives requests a second, and microseconds of CPU time for each.
func (s *site) calm(round int, span time.Duration) (rate, cost float64) {
	var served atomic.Uint64
	var workers sync.WaitGroup
	failed := make(chan error, calmWorkers)
	before, started := processTime(), time.Now()
	for w := range calmWorkers {
		workers.Go(func() {
			lockForever()
			if err := enter(s.Client); err != nil {
				failed <- err
				return
			}
			for n := round*2027 + w; time.Since(started) < span && s.b.ctx.Err() == nil; n += calmWorkers {
				// One that fails is not served: what its time-out costs is in the rate.
				if ask(source(n%calmSources), netip.AddrPortFrom(nettest.Server4, s.defence.port)) == nil {
					served.Add(1)
				}
			}
		})
	}
	workers.Wait()
	select {
	case err := <-failed:
		s.b.check("ask", err)
	default:
	}
	took, spent := time.Since(started), processTime()-before
	s.b.check("interrupted", nil)
	n := float64(max(1, served.Load()))
	return n / took.Seconds(), float64(spent.Nanoseconds()) / 1e3 / n
}

// source is the n-th of the legitimate clients' addresses.
func source(n int) netip.Addr {
	a := nettest.Sources4.Addr().As4()
	a[2], a[3] = byte(n>>8), byte(n)
	return netip.AddrFrom4(a)
}

// ask makes a connection from the thread's namespace and exchanges one request. It waits for a second at most.
func ask(from netip.Addr, to netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	patience := unix.Timeval{Sec: 1}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()}))
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	}
	if err != nil {
		return err
	}
	var buffer [512]byte
	if _, err = unix.Write(fd, buffer[:64]); err != nil {
		return err
	}
	for got := 0; got < len(buffer); {
		n, err := unix.Read(fd, buffer[got:])
		if err != nil {
			return err
		}
		if n == 0 {
			return unix.ECONNRESET
		}
		got += n
	}
	return nil
}

// processTime is the CPU time of all threads of this process, and of the softirqs that ran on them.
func processTime() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now)
	return time.Duration(now.Nano())
}
