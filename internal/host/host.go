// Package host tells facts about this machine. It only reads. What differs from one network namespace to another is
// told of the namespace of the calling thread, so callers that entered one (see EnterNetNS) must stay on their thread.
package host

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// Root is a directory where a proc file system is mounted, or a copy of one.
type Root string

// Proc is where Linux systems mount theirs.
const Proc Root = "/proc"

func (r Root) path(elements ...string) string {
	return filepath.Join(append([]string{string(r)}, elements...)...)
}

// read gives a small file of the root without the line break at its end.
func (r Root) read(elements ...string) (string, error) {
	b, err := os.ReadFile(r.path(elements...))
	return string(bytes.TrimRight(b, "\n")), err
}

// Facts gives what policies may know of this host: its name, the processors and MiB of memory that the kernel has
// (container limits are not looked at, because conntrack and sockets are not bounded by them), and the names, sorted, and
// MTUs of the network interfaces of the thread's namespace.
func (r Root) Facts() (policy.Facts, error) {
	var f policy.Facts
	var err error
	if f.Name, err = r.read("sys", "kernel", "hostname"); err != nil {
		return f, fmt.Errorf("read host name: %w", err)
	}
	if f.CPUs, err = r.cpus(); err != nil {
		return f, err
	}
	if f.MemoryMiB, err = r.memoryMiB(); err != nil {
		return f, err
	}
	links, err := interfaces()
	f.MTUs = make(map[string]int, len(links))
	for _, link := range links {
		f.Interfaces = append(f.Interfaces, link.Name)
		f.MTUs[link.Name] = link.MTU
	}
	return f, err
}

// interfaces gives the network interfaces of the thread's namespace, sorted by name.
func interfaces() ([]net.Interface, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	slices.SortFunc(links, func(a, b net.Interface) int { return strings.Compare(a.Name, b.Name) })
	return links, nil
}

// memoryMiB reads MemTotal, which the kernel counts in KiB (fs/proc/meminfo.c) and which leaves out what it reserved
// for itself: a machine of 8 GiB says about 7900 MiB.
func (r Root) memoryMiB() (uint64, error) {
	const file = "meminfo"
	text, err := os.ReadFile(r.path(file))
	if err != nil {
		return 0, fmt.Errorf("read memory size: %w", err)
	}
	kib, ok := field(text, "MemTotal:")
	n, err := strconv.ParseUint(kib, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("read memory size: no MemTotal in %s", r.path(file))
	}
	return n >> 10, nil
}

// cpus counts the processors in /proc/stat that are online. runtime.NumCPU would count those this process may run on.
func (r Root) cpus() (int, error) {
	text, err := os.ReadFile(r.path("stat"))
	if err != nil {
		return 0, fmt.Errorf("count processors: %w", err)
	}
	n := 0
	for line := range bytes.Lines(text) {
		if len(line) > 3 && bytes.HasPrefix(line, []byte("cpu")) && line[3] >= '0' && line[3] <= '9' {
			n++
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("count processors: none in %s", r.path("stat"))
	}
	return n, nil
}

// field gives the first word behind a name that begins a line.
func field(text []byte, name string) (value string, ok bool) {
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte(name)); found {
			if words := bytes.Fields(rest); len(words) > 0 {
				return string(words[0]), true
			}
		}
	}
	return "", false
}
