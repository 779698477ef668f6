package main

import (
	"fmt"
	"strings"

	"github.com/tcpguard/tcpguard/bench/report"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// bans measures what it costs to drop a banned source, beside nft doing the same by hand at the raw hook.
func bans(b *bench, _ []*defence) []*report.Table {
	sizes := []int{1000, b.scale.million}
	contestants := []*defence{
		{name: "nft set at the raw hook", port: servicePort, setUp: nftables(rawBans(""))},
		{name: "nft set with timeouts at the raw hook", port: servicePort, setUp: nftables(rawBans("timeout;"))},
		newGuard("tcpguard, banned from the host", 1),
		newGuard("tcpguard, banned from a policy", 1),
	}
	into := []string{"inet peer ban", "inet peer ban", "inet tcpguard ban.v4", "inet tcpguard policy.web0.ban.v4"}
	t := &report.Table{
		Title: "CPU nanoseconds of a packet from a banned source, by number of bans, and in proportion to the first row",
		Note:  "Packets come from all banned sources at random. Bans have to end by themselves, so the second row is the like-for-like one. Target for tcpguard: ≤ 1.10x.",
	}
	t.Header = []string{"defence"}
	for _, d := range contestants {
		t.Add(d.name)
	}
	for _, size := range sizes {
		t.Header = append(t.Header, fmt.Sprintf("%d bans", size), "of nft's", "of nft's with timeouts")
		b.scope(func() {
			for i, samples := range b.banColumn(contestants, into, size) {
				t.Rows[i] = append(t.Rows[i], fmt.Sprintf("%.0f", report.Median(samples.ns)), report.Times(report.Median(samples.plain)), report.Times(report.Median(samples.timed)))
			}
		})
	}
	return []*report.Table{t}
}

// banSamples are one contestant's rounds, absolute and in proportion to each of the two peers.
type banSamples struct{ ns, plain, timed []float64 }

func (b *bench) banColumn(contestants []*defence, into []string, size int) []banSamples {
	var sites []*site
	for i, d := range contestants {
		b.step("ban %d sources: %s", size, d.name)
		s := b.newSite(d)
		timeout := ""
		if i > 0 {
			timeout = " timeout 1h"
		}
		nettest.NftLoad(b, s.Server, banText(into[i], timeout, size))
		sites = append(sites, s)
	}
	b.step("drop %d banned sources", size)
	banned := flood{name: "banned", flags: nettest.SYN, first: spoofed, sources: int32(size)}
	ns := make([][]float64, len(sites))
	for round := range b.scale.rounds + 2 {
		for i := range sites {
			at := (i + round) % len(sites)
			ns[at] = append(ns[at], sites[at].cost(banned, b.scale.warm, b.scale.window))
		}
	}
	out := make([]banSamples, len(sites))
	for i := range sites {
		out[i] = banSamples{ns[i], report.Ratios(ns[i], ns[0]), report.Ratios(ns[i], ns[1])}
	}
	return out
}

func rawBans(flags string) string {
	if flags != "" {
		flags = "flags " + flags
	}
	return `table inet peer {
	counter dropped { }
	set ban { type ipv4_addr; size 1048576; ` + flags + ` }
	chain prerouting {
		type filter hook prerouting priority raw;
		ip saddr @ban counter name dropped drop
	}
}
`
}

// banText adds the first addresses of Spoofed4 to a set.
func banText(set, timeout string, n int) string {
	base := spoofed.As4()
	var text strings.Builder
	fmt.Fprintf(&text, "add element %s {\n", set)
	for i := range n {
		fmt.Fprintf(&text, "%d.%d.%d.%d%s,\n", base[0], int(base[1])+i>>16, byte(i>>8), byte(i), timeout)
	}
	text.WriteString("}\n")
	return text.String()
}
