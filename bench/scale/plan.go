package main

import (
	"fmt"
	"time"
)

// plans measures planning in proportion to what is declared. A plan parses, compiles, reads the kernel and compares;
// it changes nothing, so one namespace serves all its rounds.
func plans(b *bench) []*table {
	policies := &table{
		title:  "tcpguard plan, by number of policies",
		header: []string{"policies", "first plan", "per policy", "peak memory", "plan when applied", "per policy"},
		note:   "Each policy has a port, a connection limit and a rate limit. \"When applied\" reads every object back and finds nothing to do.",
	}
	for _, n := range []int{1, 100, 300, 1000} {
		b.planning(policies, n, b.policyFolder(manyPolicies(n, n)))
	}
	entries := &table{
		title:  "tcpguard plan, by length of a list",
		header: []string{"addresses", "first plan", "per address", "peak memory", "plan when applied", "per address"},
	}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		folder := b.policyFolder(listPolicy)
		list, _ := addresses(n)
		b.writeList(folder, texts(list))
		b.planning(entries, n, folder)
	}
	return []*table{policies, entries}
}

func (b *bench) planning(t *table, n int, folder string) {
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
	a, z := median(first.walls()), median(applied.walls())
	t.add(fmt.Sprint(n), ms(a), per(a), mib(median(first.peaks())), ms(z), per(z))
}
