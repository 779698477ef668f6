package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcpguard/tcpguard/bench/report"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// lists measures big address lists: first loads and a small change.
func lists(b *bench) []*report.Table {
	loads := &report.Table{
		Title:  "First load of a deny list, whole processes in fresh network namespaces",
		Header: []string{"content", "program", "wall", "CPU", "peak memory", "wall ratio", "memory ratio"},
		Note: "nft loads the same objects from the text that `tcpguard show --format nft` prints. tcpguard also parses the policy and the " +
			"list, plans, writes its state to disk, reads back and verifies.",
	}
	million, more := addresses(1_000_000)
	b.firstLoad(loads, "1,000,000 IPv4 addresses", texts(million))
	b.firstLoad(loads, "100,000 IPv4 prefixes", prefixes(100_000))
	return []*report.Table{loads, b.changes(million, more(500))}
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

func (b *bench) firstLoad(t *report.Table, content string, entries []string) {
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
	t.Add(content, "tcpguard apply", ms(report.Median(ours.walls())), ms(report.Median(ours.cpus())), mib(report.Median(ours.peaks())),
		report.Times(report.Median(report.Ratios(ours.walls(), nfts.walls()))), report.Times(report.Median(report.Ratios(ours.peaks(), nfts.peaks()))))
	t.Add("", "nft -f", ms(report.Median(nfts.walls())), ms(report.Median(nfts.cpus())), mib(report.Median(nfts.peaks())), "1", "1")
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
func (b *bench) changes(before, added []uint32) *report.Table {
	t := &report.Table{
		Title:  "1000 changes (500 addresses added, 500 removed) in a list of 1,000,000",
		Header: []string{"program", "wall", "CPU", "peak memory", "ratio to nft, hash", "ratio to nft, interval"},
		Note: "nft is given the delta itself; tcpguard finds it, by reading and comparing the whole list. tcpguard keeps single addresses " +
			"in a hash set, which nft can change without reading it; a set that also holds prefixes must be an interval set, which nft " +
			"reads back whole before each change; it is stopped after " + fmt.Sprint(patience) + ".",
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
	c := change{bench: b, folder: folder, contents: contents, out: out, in: in}
	b.scope(c.measure)
	b.settle()
	c.fill(t)
	return t
}

// fill writes the rows: everything in proportion to nft, with the same delta on a hash set and on an interval set.
func (c *change) fill(t *report.Table) {
	hash, interval := report.Median(c.hash.walls()), report.Median(c.interval.walls())
	under := ""
	if c.interval[0].Limited {
		under = "< "
	}
	ratio := func(d, to time.Duration) string { return report.Times(d.Seconds() / to.Seconds()) }
	row := func(name string, s series) {
		wall := report.Median(s.walls())
		t.Add(name, ms(wall), ms(report.Median(s.cpus())), mib(report.Median(s.peaks())), ratio(wall, hash), under+ratio(wall, interval))
	}
	step := func(name string, d time.Duration) {
		t.Add(name, ms(d), "", "", ratio(d, hash), under+ratio(d, interval))
	}
	row("tcpguard apply", c.ours)
	step("  of that, finding the difference", report.Median(c.diffs))
	step("  of that, the transaction", report.Median(c.commits))
	row("tcpguard apply, nothing to do", c.idle)
	row("nft -f, the delta, hash set", c.hash)
	row("nft -f, the whole list anew, hash set", c.reload)
	if c.interval[0].Limited {
		t.Add("nft -f, the delta, interval set", "> "+ms(patience), "", "> "+mib(c.interval[0].PeakKiB), "", "1")
	} else {
		row("nft -f, the delta, interval set", c.interval)
	}
}

// change is one measurement of a list's change.
type change struct {
	*bench
	folder   string
	contents [2][]string
	out, in  string // what leaves and enters in the first round; the other way round in the second

	ours, idle, hash, interval, reload series
	diffs, commits                     []time.Duration
}

func (c *change) measure() {
	c.step("1000 changes in a million addresses")
	guarded, peer, merged, inside := c.newSite(c.folder), c.newSite(c.folder), c.newSite(c.folder), c.newCommitter()
	guarded.apply()
	inside.apply(c.folder)
	text := filepath.Join(c.folder, "same.nft")
	guarded.compile(text)
	peer.nft(text)
	ranges := filepath.Join(c.folder, "interval.nft")
	c.write(ranges, asInterval(c.contents[0]))
	merged.nft(ranges)
	delta := filepath.Join(c.folder, "delta.nft")
	for round := range c.rounds {
		from, to, content := c.out, c.in, c.contents[1-round%2]
		if round%2 == 1 {
			from, to = c.in, c.out
		}
		c.writeList(c.folder, content)
		c.ours = append(c.ours, guarded.apply())
		c.idle = append(c.idle, guarded.apply())
		diff, commit := inside.apply(c.folder)
		c.diffs, c.commits = append(c.diffs, diff), append(c.commits, commit)
		c.write(delta, deltaText("list.blocklist.v4", from, to))
		c.hash = append(c.hash, peer.nft(delta))
		if round > 0 {
			continue
		}
		// Reading a million elements back takes minutes, so the interval variant has one round, and that an end.
		c.step("the same change in an interval set, by nft, for at most %v", patience)
		c.write(delta, deltaText("blocklist", from, to))
		c.interval = append(c.interval, c.must(command{Argv: []string{"nft", "-f", delta}, Netns: merged.Path(), Limit: patience}))
	}
	c.step("the whole list anew, by nft")
	c.write(delta, "flush set inet tcpguard list.blocklist.v4\nadd element inet tcpguard list.blocklist.v4 { "+strings.Join(c.contents[0], ",\n")+" }\n")
	c.reload = append(c.reload, peer.nft(delta))
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
