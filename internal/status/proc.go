package status

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// procFiles is where a proc file system is mounted. Below thread-self/net and sys/net it shows the namespace of the
// thread that opens a file.
type procFiles struct{ root string }

func (p procFiles) read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(p.root, name)) }

// number reads a file that holds one.
func (p procFiles) number(name string) (uint64, error) {
	text, err := p.read(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a number", filepath.Join(p.root, name), bytes.TrimSpace(text))
	}
	return n, nil
}

// Conntrack is the connection tracking table.
type Conntrack struct {
	// Tracking says that the kernel tracks connections. It does once a rule needs it.
	Tracking bool
	Fill
	Dropped      uint64 // packets whose connection found no place in a full table
	EvictedEarly uint64 // unanswered connections that gave way to new ones
}

// conntrack reads the table's fill. net.netfilter.nf_conntrack_max holds for each namespace.
func (p procFiles) conntrack() (Conntrack, error) {
	count, err := p.number("sys/net/netfilter/nf_conntrack_count")
	if errors.Is(err, fs.ErrNotExist) {
		return Conntrack{Fill: Fill{Count: -1}}, nil
	}
	c := Conntrack{Tracking: true, Fill: Fill{Count: -1}}
	if err == nil {
		c.Count = int(count)
		c.Size, err = p.number("sys/net/netfilter/nf_conntrack_max")
	}
	if err != nil {
		return c, fmt.Errorf("read conntrack: %w", err)
	}
	sums, err := p.perCPU("thread-self/net/stat/nf_conntrack")
	c.Dropped, c.EvictedEarly = sums["drop"], sums["early_drop"]
	return c, err
}

// perCPU sums the columns of a file that has a line of hexadecimal numbers for each processor under a line of names. A
// file that is not there has none: the module is not loaded, or the kernel was built without it.
func (p procFiles) perCPU(name string) (map[string]uint64, error) {
	text, err := p.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	sums := map[string]uint64{}
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if names == nil {
			names = words
			continue
		}
		for i, w := range words[:min(len(words), len(names))] {
			n, err := strconv.ParseUint(w, 16, 64)
			if err != nil {
				return nil, fmt.Errorf("read statistics: %s: %q is not a number", filepath.Join(p.root, name), w)
			}
			sums[names[i]] += n
		}
	}
	return sums, nil
}

// pairs reads a file of lines in pairs, names over numbers, each beginning with the same word ("TcpExt:"), and gives the
// numbers of that word (net/ipv4/proc.c, netstat_seq_show).
func (p procFiles) pairs(name, word string) (map[string]uint64, error) {
	text, err := p.read(name)
	if err != nil {
		return nil, fmt.Errorf("read TCP statistics: %w", err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, word)
		switch words := strings.Fields(rest); {
		case !ok:
		case names == nil:
			names = words
		default:
			values := map[string]uint64{}
			for i, w := range words[:min(len(words), len(names))] {
				// Some counters of other words are signed; these are not, and one that cannot be read is 0.
				values[names[i]], _ = strconv.ParseUint(w, 10, 64)
			}
			return values, nil
		}
	}
	return nil, fmt.Errorf("read TCP statistics: %s has no %s", filepath.Join(p.root, name), word)
}

// tcp reads the state of TCP. What it gives beside an error is what could be read.
func (p procFiles) tcp(ctx context.Context) (TCP, error) {
	var t TCP
	ext, err := p.pairs("thread-self/net/netstat", "TcpExt:")
	t.extended(ext)
	proxy, proxyErr := p.perCPU("thread-self/net/stat/synproxy")
	t.Challenges = Cookies{Sent: proxy["syn_received"], Returned: proxy["cookie_valid"], Failed: proxy["cookie_invalid"]}
	states, statesErr := p.states(ctx)
	t.States = states
	return t, errors.Join(err, proxyErr, statesErr)
}
