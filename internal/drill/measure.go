package drill

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tcpguard/tcpguard/internal/drill/report"
	"github.com/tcpguard/tcpguard/internal/drill/traffic"
	"github.com/tcpguard/tcpguard/internal/reconcile"
)

// warmUp is how long clients run before the attack begins and anything counts: connections are made, caches filled.
const warmUp = 300 * time.Millisecond

// patience is how long a client waits for its answer. The kernel sends a lost SYN again after 1 s, so a client that was
// challenged or dropped once is still served, and its latency tells.
const patience = 1500 * time.Millisecond

// side runs one scenario once, in a network of its own. The report of the apply is nil without the policy.
func (d *drill) side(ctx context.Context, s scenario, guarded bool) (*report.Side, *reconcile.Report, error) {
	crowd := crowdOf(d.options.Bundle, d.layout, d.world, d.options.Duration, patience)
	a, err := build(d.layout, d.world, crowd.sources())
	if err != nil {
		return nil, nil, permission(err)
	}
	defer a.Close()
	var applied *reconcile.Report
	if guarded {
		if applied, err = applyTo(ctx, a.guarded, d.options.Bundle, d.options.Version); err != nil {
			return nil, nil, err
		}
	}
	servers, err := a.serve(d.layout, traffic.DefaultModel(), d.world.attackers4)
	if err != nil {
		return nil, nil, err
	}
	defer servers.close()
	f := &field{arena: a, layout: d.layout, world: d.world, crowd: crowd, rate: d.options.Rate, duration: d.options.Duration}
	run := &run{drill: d, field: f, guarded: guarded, attackers: s.attack(f)}
	if s.name != scenarios[0].name && len(run.attackers) == 0 {
		return nil, nil, errNoTarget
	}
	side, err := run.do(ctx, s.judged)
	if err == nil {
		side.Attack.Taken = uint64(servers.taken())
	}
	return side, applied, err
}

// errNoTarget says that no service has an address of the family that a scenario attacks.
var errNoTarget = errors.New("no service has an address of the attack's family")

// run is one side while it is measured.
type run struct {
	drill     *drill
	field     *field
	guarded   bool
	attackers []attacker
}

func (r *run) do(ctx context.Context, judged string) (*report.Side, error) {
	window := r.drill.options.Duration
	start := time.Now().Add(warmUp)
	recorder := traffic.NewRecorder(start, window)
	visiting, leave := context.WithDeadline(ctx, start.Add(window))
	defer leave()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r.field.crowd.run(visiting, traffic.Clients{Space: r.field.arena.outside, Recorder: recorder, Timeout: patience})
	}()
	// Whatever goes wrong, nobody is left behind in a network that is taken down.
	defer func() { leave(); <-gone }()

	time.Sleep(time.Until(start))
	before, err := r.read()
	if err != nil {
		return nil, err
	}
	side := &report.Side{}
	attacking, cease := context.WithCancel(ctx)
	defer cease()
	ended := make(chan error, 1)
	go func() { ended <- r.attack(attacking, side) }()
	filled := make(chan struct{})
	go func() { defer close(filled); r.watchConntrack(attacking, &side.Conntrack) }()

	<-gone // the last client has its answer or has given up; the attack went on until then
	after, err := r.read()
	cease()
	<-filled
	if err := errors.Join(err, <-ended, ctx.Err()); err != nil {
		return nil, err
	}
	side.Counters, side.Kernel = difference(before.counters, after.counters), difference(before.kernel, after.kernel)
	side.OtherCPU = after.cpu.others(before.cpu)
	samples := recorder.Samples()
	side.Measure(samples, judged, window)
	side.FalsePositives, err = r.falsePositives(samples, after.bans)
	return side, err
}

// attack lets the attackers work and adds up what they did.
func (r *run) attack(ctx context.Context, side *report.Side) error {
	began := time.Now()
	did, errs := make([]report.Attack, len(r.attackers)), make([]error, len(r.attackers))
	var all sync.WaitGroup
	for i, attack := range r.attackers {
		all.Go(func() { did[i], errs[i] = attack(ctx) })
	}
	all.Wait()
	for _, one := range did {
		side.Attack.Unit = one.Unit
		side.Attack.Sent += one.Sent
		side.Attack.Established += one.Established
	}
	side.Attack.PerSecond = float64(side.Attack.Sent) / time.Since(began).Seconds()
	return errors.Join(errs...)
}

// reading is every counter at one time.
type reading struct {
	verdicts
	kernel map[string]uint64
	cpu    cpuTime
}

func (r *run) read() (out reading, err error) {
	out.kernel = map[string]uint64{}
	out.cpu, err = readCPU()
	for _, s := range []*space{r.field.arena.guarded, r.field.arena.behind} {
		if s != nil {
			err = errors.Join(err, s.Do(func() error { return readKernel(out.kernel) }))
		}
	}
	if err == nil && r.guarded {
		out.verdicts, err = readVerdicts(r.field.arena.guarded)
	}
	return out, err
}

// watchConntrack notes how full the table gets.
func (r *run) watchConntrack(ctx context.Context, peak *report.Conntrack) {
	ticker := time.NewTicker(report.TickLength)
	defer ticker.Stop()
	for ctx.Err() == nil {
		var now report.Conntrack
		// A table that cannot be read stays at 0, which is shown as not known.
		_ = r.field.arena.guarded.Do(func() (err error) { now, err = readConntrack(); return err })
		peak.Peak, peak.Max = max(peak.Peak, now.Peak), max(peak.Max, now.Max)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// falsePositives finds the legitimate sources that were not served or that are banned.
func (r *run) falsePositives(samples []traffic.Sample, banSets []string) (report.FalsePositives, error) {
	out := report.FalsePositives{Banned: []string{}}
	hurt := map[netip.Addr]bool{}
	for _, s := range samples {
		hurt[s.Source] = hurt[s.Source] || s.Outcome != traffic.Served
	}
	out.Sources = len(hurt)
	for _, h := range hurt {
		if h {
			out.NotServed++
		}
	}
	for _, set := range banSets {
		var shut []netip.Addr
		err := r.field.arena.guarded.Do(func() (err error) { shut, err = banned(set); return err })
		if err != nil {
			return out, err
		}
		bits := r.banPrefix(set)
		for a := range hurt {
			if p, err := a.Prefix(bits); err == nil && slices.Contains(shut, p.Addr()) {
				out.Banned = append(out.Banned, a.String())
			}
		}
	}
	slices.Sort(out.Banned)
	return out, nil
}

// banPrefix is how a ban set groups sources.
func (r *run) banPrefix(set string) int {
	v6 := set[len(set)-1] == '6'
	for _, p := range r.drill.options.Bundle.Policies {
		if p.Ban == nil || set != "policy."+p.Name+".ban.v4" && set != "policy."+p.Name+".ban.v6" {
			continue
		}
		if v6 {
			return p.Ban.IPv6Prefix
		}
		return p.Ban.IPv4Prefix
	}
	if v6 {
		return 128
	}
	return 32
}
