package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tcpguard/tcpguard/bench/report"
	"github.com/tcpguard/tcpguard/internal/drill/traffic"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// What legitimate clients do: visitors come every 10 ms from ever new addresses, innocents four times a second.
const (
	visitEvery    = 10 * time.Millisecond
	visitSources  = 4096
	innocents     = 4
	innocentEvery = time.Second / (4 * innocents)
	clientTimeout = 2 * time.Second
	floodRate     = 50_000 // packets a second
)

// attacked is who attacks, and whether the clients are those whose addresses are spoofed.
type attacked struct {
	name     string
	innocent bool
	attack   func(ctx context.Context, s *site) error
}

func scenarios() []attacked {
	all := []attacked{{name: "calm", attack: func(ctx context.Context, _ *site) error { <-ctx.Done(); return nil }}}
	for _, f := range floods {
		all = append(all, attacked{name: f.name, attack: paced(f, floodRate)})
	}
	for _, rate := range []int{300, 20_000} {
		f := flood{flags: nettest.SYN, first: source(0), sources: innocents}
		all = append(all, attacked{name: fmt.Sprintf("innocent spoofed at %d/s", rate), innocent: true, attack: paced(f, innocents*rate)})
	}
	one := []netip.Addr{source(0xf001)}
	return append(all,
		attacked{name: "hoarding", attack: live(traffic.Attackers{Sources: one, PerSec: 1000, Hold: 2000})},
		attacked{name: "churning", attack: live(traffic.Attackers{Sources: one, PerSec: 2000})})
}

// services measures what legitimate clients get during each attack.
func services(b *bench, defences []*defence) []*report.Table {
	t := &report.Table{
		Title:  "Legitimate clients served during an attack, and the 99th percentile of how long they waited",
		Header: []string{"defence"},
		Note: fmt.Sprintf("100 clients a second, each from an address of its own; who is not served within %v is lost. Floods send %d packets a second; the innocents are "+
			"%d whose addresses are spoofed at the named rate each (during, then after). The hoarder and the churner have one address; the server has %d workers. "+
			"Target for tcpguard: at least 99 %% everywhere, below 50 ms.", clientTimeout, floodRate, innocents, workers.Places),
	}
	attacks := scenarios()
	if b.quick {
		// Those that tell the defences apart.
		attacks = slices.DeleteFunc(attacks, func(a attacked) bool {
			return a.name == "calm" || a.name == thousand.name || a.name == randomACK.name || strings.HasSuffix(a.name, " 300/s")
		})
	}
	for _, a := range attacks {
		t.Header = append(t.Header, a.name)
	}
	for _, d := range defences {
		if d.limit {
			continue
		}
		row := []string{d.name}
		b.scope(func() {
			s := b.newSite(d)
			for _, a := range attacks {
				b.step("service: %s, %s", d.name, a.name)
				row = append(row, s.service(a))
				if d.guard != nil {
					b.step("counted:%s", counted(s))
				}
			}
		})
		t.Rows = append(t.Rows, row)
	}
	return []*report.Table{t}
}

// paced floods at a rate.
func paced(f flood, rate int) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		wire, err := traffic.OpenWire(s.outside, s.near, s.client, s.host)
		if err != nil {
			return err
		}
		defer wire.Close()
		flags := byte(f.flags)
		template := traffic.NewFrame(s.client, s.host, netip.AddrPortFrom(f.first, 1024), s.target(f), flags)
		_, err = traffic.Flood{
			Wire: wire, Pace: traffic.Constant(rate), Seed: 1, Lanes: []traffic.Lane{{Template: template, Vary: f.vary()}},
		}.Run(ctx)
		return err
	}
}

func (f flood) vary() traffic.Vary {
	switch {
	case f.rotate:
		return traffic.FromSubnet6
	case f.sources == 1:
		return traffic.FromOne
	case f.sources == 1<<23:
		return traffic.FromPrefix4(nettest.Spoofed4)
	default:
		return traffic.FromMany(f.first, uint32(f.sources))
	}
}

// live attacks with connections of its own.
func live(a traffic.Attackers) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		a.Space, a.Targets = s.outside, []netip.AddrPort{netip.AddrPortFrom(nettest.Server4, s.defence.port)}
		a.Run(ctx)
		return nil
	}
}

// service runs a scenario and gives a cell. The clients begin once the attack has shown what it does.
func (s *site) service(a attacked) string {
	s.forget()
	stop := s.serve(workers)
	defer stop()
	warm, span, after := s.b.scale.attack/3, s.b.scale.attack, time.Duration(0)
	if a.innocent {
		after = s.b.scale.attack / 2
	}
	attack, end := context.WithTimeout(s.b.ctx, warm+span)
	if !a.innocent {
		// It lasts until the last client has been served or has left: its end would serve those who wait.
		attack, end = context.WithCancel(s.b.ctx)
	}
	defer end()
	whole, endAll := context.WithTimeout(s.b.ctx, warm+span+after)
	defer endAll()
	recorder := traffic.NewRecorder(time.Now().Add(warm), span+after)
	visitors := traffic.Visitors{Sources: s.visitors(a.innocent), Targets: []netip.AddrPort{netip.AddrPortFrom(nettest.Server4, s.defence.port)}, Every: visitEvery}
	if a.innocent {
		visitors.Every = innocentEvery
	}
	var failed error
	var all sync.WaitGroup
	all.Go(func() { failed = a.attack(attack, s) })
	all.Go(func() {
		traffic.Clients{Space: s.outside, Recorder: recorder, Timeout: clientTimeout}.Visit(whole, visitors)
		if !a.innocent {
			end()
		}
	})
	all.Wait()
	s.b.check("attack", failed)
	samples := recorder.Samples()
	if !a.innocent {
		return summary(samples)
	}
	during := slices.DeleteFunc(slices.Clone(samples), func(x traffic.Sample) bool { return x.Start >= span })
	later := slices.DeleteFunc(slices.Clone(samples), func(x traffic.Sample) bool { return x.Start < span })
	return summary(during) + "; " + summary(later)
}

// visitors are the clients' addresses; the innocents' are 256 apart, see traffic.FromMany.
func (s *site) visitors(innocent bool) (sources []netip.Addr) {
	if innocent {
		for i := range innocents {
			sources = append(sources, source(i<<8))
		}
		return sources
	}
	for i := range visitSources {
		sources = append(sources, source(0x1000+i))
	}
	return sources
}

// summary is the share of clients that were served, and how long 99 of 100 of those waited at most.
func summary(samples []traffic.Sample) string {
	var waits []time.Duration
	for _, x := range samples {
		if x.Outcome == traffic.Served {
			waits = append(waits, x.Latency)
		}
	}
	if len(waits) == 0 {
		return "0 %"
	}
	slices.Sort(waits)
	p99 := waits[(len(waits)*99-1)/100]
	share := float64(len(waits)) / float64(len(samples)) * 100
	text := fmt.Sprintf("%.1f %%", share)
	if len(waits) == len(samples) {
		text = "100 %"
	}
	return fmt.Sprintf("%s, %.0f ms", text, p99.Seconds()*1e3)
}

// counted tells what became of packets in the last scenario.
func counted(s *site) (text string) {
	counters := nettest.Counters(s.b, s.Server)
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		if counters[name] > 0 {
			text += fmt.Sprintf(" %s=%d", name, counters[name])
		}
	}
	return text
}
