package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// lists measures big address lists: first loads and a small change.
func lists(b *bench) []*table {
	loads := &table{
		title:  "First load of a deny list, whole processes in fresh network namespaces",
		header: []string{"content", "program", "wall", "CPU", "peak memory", "wall ratio", "memory ratio"},
		note: "nft loads the same objects from the text that `tcpguard show --format nft` prints. tcpguard also parses the policy and the " +
			"list, plans, writes its state to disk, reads back and verifies.",
	}
	million, more := addresses(1_000_000)
	b.firstLoad(loads, "1,000,000 IPv4 addresses", texts(million))
	b.firstLoad(loads, "100,000 IPv4 prefixes", prefixes(100_000))
	return []*table{loads, b.changes(million, more(500))}
}

// site is a namespace with a tcpguard state directory of its own and a folder of policies.
type site struct {
	*nettest.NS
	b        *bench
	policies string
	state    string
}

func (b *bench) newSite(policies string) *site {
	state, err := os.MkdirTemp(b.folder, "state-")
	if err != nil {
		b.Fatalf("make a state directory: %v", err)
	}
	return &site{NS: nettest.New(b), b: b, policies: policies, state: state}
}

func (s *site) tcpguard(verb string, flags ...string) command {
	argv := []string{s.b.tcpguard, verb, "--policy", s.policies, "--state-dir", s.state, "--run-dir", s.state}
	return command{Argv: append(argv, flags...), Netns: s.Path()}
}

func (s *site) apply() usage {
	return s.b.must(s.tcpguard("apply", "--auto-approve"))
}

func (s *site) nft(file string) usage {
	return s.b.must(command{Argv: []string{"nft", "-f", file}, Netns: s.Path()})
}

// compile prints the policies as nft text into a file.
func (s *site) compile(file string) {
	c := s.tcpguard("show", "--format", "nft")
	c.Into = file
	s.b.must(c)
}

func (b *bench) firstLoad(t *table, content string, entries []string) {
	b.step("first load of %s", content)
	folder := b.policyFolder(listPolicy)
	b.writeList(folder, entries)
	text := filepath.Join(folder, "same.nft")
	b.scope(func() { b.newSite(folder).compile(text) })

	var ours, nfts series
	contestants := []func(){
		func() { b.alone(folder, func(s *site) { ours = append(ours, s.apply()) }) },
		func() { b.alone(folder, func(s *site) { nfts = append(nfts, s.nft(text)) }) },
	}
	for round := range b.rounds {
		contestants[round%2]()
		contestants[1-round%2]()
	}
	t.add(content, "tcpguard apply", ms(median(ours.walls())), ms(median(ours.cpus())), mib(median(ours.peaks())),
		times(median(ratios(ours.walls(), nfts.walls()))), times(median(ratios(ours.peaks(), nfts.peaks()))))
	t.add("", "nft -f", ms(median(nfts.walls())), ms(median(nfts.cpus())), mib(median(nfts.peaks())), "1", "1")
}

// alone gives f a fresh site and waits, after removing it, until the kernel has freed what was in it: that happens in
// a kernel thread and would be charged to whoever is measured next.
func (b *bench) alone(policies string, f func(*site)) {
	b.scope(func() { f(b.newSite(policies)) })
	b.settle()
}

// patience is how long one change of an interval set may take before it is stopped.
const patience = time.Minute

// changes measures 1000 changes, 500 addresses out and 500 in, in a list of a million. The list goes back and forth
// between two contents, so that every round does the same work on sets of the same size.
func (b *bench) changes(before, added []uint32) *table {
	t := &table{
		title:  "1000 changes (500 addresses added, 500 removed) in a list of 1,000,000",
		header: []string{"program", "wall", "CPU", "peak memory", "ratio to nft, hash", "ratio to nft, interval"},
		note: "nft is given the delta itself; tcpguard finds it, by reading and comparing the whole list. tcpguard keeps single addresses " +
			"in a hash set, which nft can change without reading it; a set that also holds prefixes must be an interval set, which nft " +
			"reads back whole before each change; when that is stopped unfinished, the ratios to it are upper bounds.",
	}
	removed := before[:len(before)/2*2]
	gone := make([]uint32, 0, 500)
	kept := make([]uint32, 0, len(before))
	for i, a := range removed {
		if i%2000 == 0 && len(gone) < 500 {
			gone = append(gone, a)
			continue
		}
		kept = append(kept, a)
	}
	after := append(kept, added...)
	contents := [2][]string{texts(before), texts(after)}
	out, in := strings.Join(texts(gone), ", "), strings.Join(texts(added), ", ")

	folder := b.policyFolder(listPolicy)
	b.writeList(folder, contents[0])
	var ours, idle, hash, interval series
	var commits []time.Duration
	b.scope(func() {
		b.step("1000 changes in a million addresses")
		guarded, peer, merged := b.newSite(folder), b.newSite(folder), b.newSite(folder)
		guarded.apply()
		text := filepath.Join(folder, "same.nft")
		guarded.compile(text)
		peer.nft(text)
		ranges := filepath.Join(folder, "interval.nft")
		b.write(ranges, asInterval(contents[0]))
		merged.nft(ranges)
		for round := range b.rounds {
			from, to := out, in
			if round%2 == 1 {
				from, to = in, out
			}
			b.writeList(folder, contents[1-round%2])
			u := guarded.apply()
			ours = append(ours, u)
			commits = append(commits, commitTime(u))
			idle = append(idle, guarded.apply())
			delta := filepath.Join(folder, "delta.nft")
			b.write(delta, deltaText("list.blocklist.v4", from, to))
			hash = append(hash, peer.nft(delta))
			// Reading a million elements back takes minutes, so the interval variant has one round, and that an end.
			if round == 0 {
				b.step("the same change in an interval set, by nft, for at most %v", patience)
				b.write(delta, deltaText("blocklist", from, to))
				interval = append(interval, b.must(command{Argv: []string{"nft", "-f", delta}, Netns: merged.Path(), Limit: patience}))
			}
		}
	})
	b.settle()
	h, i := median(hash.walls()), median(interval.walls())
	row := func(name string, s series) {
		wall := median(s.walls())
		t.add(name, ms(wall), ms(median(s.cpus())), mib(median(s.peaks())), times(wall.Seconds()/h.Seconds()), times(wall.Seconds()/i.Seconds()))
	}
	row("tcpguard apply", ours)
	if c := median(commits); c > 0 {
		t.add("  of that, the commit", ms(c), "", "", times(c.Seconds()/h.Seconds()), times(c.Seconds()/i.Seconds()))
	}
	row("tcpguard apply, nothing to do", idle)
	row("nft -f delta, hash set", hash)
	name := "nft -f delta, interval set"
	if interval[0].Limited {
		name += " (stopped unfinished)"
	}
	row(name, interval)
	return t
}

func deltaText(set, out, in string) string {
	return fmt.Sprintf("delete element inet tcpguard %s { %s }\nadd element inet tcpguard %s { %s }\n", set, out, set, in)
}

// asInterval is the list as a set that can hold prefixes too.
func asInterval(entries []string) string {
	return "table inet tcpguard {\n\tset blocklist {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { " +
		strings.Join(entries, ",\n") + " }\n\t}\n}\n"
}

func (b *bench) write(file, text string) {
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatalf("write %s: %v", file, err)
	}
}

// commitTime is how long the netlink transaction took, as tcpguard logs it; 0 when it does not say.
func commitTime(usage) time.Duration { return 0 }
