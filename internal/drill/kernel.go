package drill

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpguard/tcpguard/internal/drill/report"
)

// kernelCounts are the kernel's own counters that tell where connections were lost: those of TcpExt as in
// /proc/net/netstat, and conntrack's as in /proc/net/stat/nf_conntrack.
var kernelCounts = []string{
	"TcpExt.ListenOverflows", "TcpExt.ListenDrops", "TcpExt.SyncookiesSent", "TcpExt.SyncookiesRecv", "TcpExt.SyncookiesFailed",
	"TcpExt.TCPReqQFullDrop", "conntrack.insert_failed", "conntrack.drop", "conntrack.early_drop",
}

// readKernel adds the calling thread's namespace's counts to those given.
func readKernel(into map[string]uint64) error {
	// thread-self: /proc/net is that of the main thread.
	text, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		return fmt.Errorf("read the kernel's TCP counters: %w", err)
	}
	addNetstat(into, text)
	text, err = os.ReadFile("/proc/thread-self/net/stat/nf_conntrack")
	if os.IsNotExist(err) {
		return nil // conntrack is not loaded
	}
	if err != nil {
		return fmt.Errorf("read conntrack's counters: %w", err)
	}
	addConntrack(into, text)
	return nil
}

// addNetstat reads pairs of lines: names, then values, both behind the same prefix.
func addNetstat(into map[string]uint64, text []byte) {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if len(names) != len(values) || len(names) == 0 {
			continue
		}
		for j := 1; j < len(names); j++ {
			add(into, strings.TrimSuffix(names[0], ":")+"."+names[j], values[j], 10)
		}
	}
}

// addConntrack reads a line of names and one of hexadecimal values for each processor.
func addConntrack(into map[string]uint64, text []byte) {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	names := strings.Fields(lines[0])
	for _, line := range lines[1:] {
		for j, value := range strings.Fields(line) {
			if j < len(names) {
				add(into, "conntrack."+names[j], value, 16)
			}
		}
	}
}

func add(into map[string]uint64, name, value string, base int) {
	if !slices.Contains(kernelCounts, name) {
		return
	}
	if n, err := strconv.ParseUint(value, base, 64); err == nil {
		into[name] += n
	}
}

// readConntrack tells how many connections the calling thread's namespace tracks, and how many it can. Both are 0 where
// conntrack is not loaded.
func readConntrack() (c report.Conntrack, err error) {
	for file, into := range map[string]*uint64{"nf_conntrack_count": &c.Peak, "nf_conntrack_max": &c.Max} {
		text, err := os.ReadFile("/proc/sys/net/netfilter/" + file)
		if os.IsNotExist(err) {
			return c, nil
		}
		if err == nil {
			*into, err = strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64)
		}
		if err != nil {
			return c, fmt.Errorf("read conntrack's size: %w", err)
		}
	}
	return c, nil
}

// difference gives the counts that grew, sorted by name.
func difference(before, after map[string]uint64) []report.Count {
	out := []report.Count{}
	for name, n := range after {
		if n > before[name] {
			out = append(out, report.Count{Name: name, Value: n - before[name]})
		}
	}
	slices.SortFunc(out, func(a, b report.Count) int { return strings.Compare(a.Name, b.Name) })
	return out
}
