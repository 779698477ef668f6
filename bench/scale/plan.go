package main

import (
	"fmt"
	"time"

	"github.com/tcpguard/tcpguard/bench/report"
)

// plans measures planning in proportion to what is declared. A plan parses, compiles, reads the kernel and compares;
// it changes nothing, so one namespace serves all its rounds.
func plans(b *bench) []*report.Table {
	policies := &report.Table{
		Title:  "tcpguard plan, by number of policies",
		Header: []string{"policies", "first plan", "CPU", "CPU per policy", "peak memory", "plan when applied", "CPU", "CPU per policy"},
		Note:   "Each policy has a port, a connection limit and a rate limit. \"When applied\" reads every object back and finds nothing to do.",
	}
	for _, n := range []int{1, 100, 300, 1000} {
		b.planning(policies, n, b.policyFolder(manyPolicies(n, n)))
	}
	entries := &report.Table{
		Title:  "tcpguard plan, by length of a list",
		Header: []string{"addresses", "first plan", "CPU", "CPU per address", "peak memory", "plan when applied", "CPU", "CPU per address"},
	}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		folder := b.policyFolder(listPolicy)
		list, _ := addresses(n)
		b.writeList(folder, texts(list))
		b.planning(entries, n, folder)
	}
	return []*report.Table{policies, entries}
}

func (b *bench) planning(t *report.Table, n int, folder string) {
	b.step("plan of %d", n)
	var first, applied series
	b.scope(func() {
		s := b.newSite(folder)
		for range b.rounds {
			first = append(first, b.must(s.tcpguard("plan")))
		}
		s.apply()
		for range b.rounds {
			applied = append(applied, b.must(s.tcpguard("plan", "--detailed-exitcode")))
		}
	})
	b.settle()
	per := func(d time.Duration) string { return fmt.Sprintf("%.2f µs", d.Seconds()*1e6/float64(n)) }
	a, z := report.Median(first.cpus()), report.Median(applied.cpus())
	t.Add(fmt.Sprint(n), ms(report.Median(first.walls())), ms(a), per(a), mib(report.Median(first.peaks())), ms(report.Median(applied.walls())), ms(z), per(z))
}
