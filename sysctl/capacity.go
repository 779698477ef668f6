package sysctl

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

// What a connection costs the kernel, measured on Linux 6.18 and rounded up; these are estimates for a person to plan
// with, so no setting depends on more than their order of magnitude.
const (
	conntrackBytes = 320              // struct nf_conn with its extensions
	bucketBytes    = 8                // hlist_nulls_head
	socketBytes    = 4096             // tcp_sock, file, dentry and inode
	timewaitBytes  = 256              // tcp_timewait_sock
	orphanBytes    = 64 << 10         // what an orphan may hold at most, by Documentation/networking/ip-sysctl.rst
	timewait       = 60 * time.Second // TCP_TIMEWAIT_LEN, not tunable
)

// capacityAddress is the address of everything that is derived.
const capacityAddress = "capacity"

// Derive turns a declared load into settings that bear it. All of them are floors (at_least) that are skipped where the
// kernel or the network namespace lacks the key, and each says why in Reason. The notes warn of a load that this host
// cannot bear. PageSize is the kernel's, in bytes.
//
//	nf_conntrack_max      connections, rounded up to a power of two
//	nf_conntrack_buckets  as many as entries, so that a hash chain has one on average
//	fs.file-max           2 x connections: a proxy has one to each side
//	fs.nr_open            2 x connections: one process may hold them all
//	tcp_max_orphans       a quarter of the connections, when all close at once
//	tcp_mem               connections x 2 pages (one each way) before memory is saved, x 3 at most, and half of the memory
//	somaxconn             1 s of new connections that nobody accepts, rounded up to a power of two, 65535 at most
//	tcp_max_syn_backlog   1 s of new connections in their handshake, as somaxconn, which bounds it
//	netdev_max_backlog    1 s of SYNs on each CPU, rounded up to a power of two
//	tcp_max_tw_buckets    60 s of new connections, which is how long TIME_WAIT lasts
//
// The range of local ports is left alone: only outgoing connections use it, and those are not what is declared.
func Derive(load policy.Capacity, facts policy.Facts, pageSize int) ([]Setting, []Note) {
	d := deriver{load: load, facts: facts, page: uint64(max(pageSize, 1))}
	if load.ConcurrentConnections > 0 {
		d.concurrent(load.ConcurrentConnections)
	}
	if perSecond := ratePerSecond(load.NewConnections); perSecond > 0 {
		d.arriving(perSecond)
	}
	return d.settings, d.notes
}

type deriver struct {
	load     policy.Capacity
	facts    policy.Facts
	page     uint64
	settings []Setting
	notes    []Note
}

// floor adds one setting.
func (d *deriver) floor(key string, reason string, want ...uint64) {
	e, _ := Lookup(key)
	fields := make([]string, len(want))
	for i, w := range want {
		fields[i] = strconv.FormatUint(min(w, uint64(e.Max)), 10)
	}
	d.settings = append(d.settings, Setting{
		Key: key, Want: fields, Bound: policy.AtLeast, OnMissing: policy.MissingSkip, OnRemove: policy.RemoveRestore,
		Reason: reason, Address: capacityAddress, Range: d.load.Range,
	})
}

// concurrent derives from the connections that exist at one time.
func (d *deriver) concurrent(n uint64) {
	entries := powerOfTwo(n)
	d.floor("net.netfilter.nf_conntrack_max", fmt.Sprintf("%d connections, %s", n, size(entries, conntrackBytes)), entries)
	d.floor("net.netfilter.nf_conntrack_buckets", fmt.Sprintf("one hash chain for each of %d entries, %s", entries, size(entries, bucketBytes)), entries)
	d.floor("fs.file-max", fmt.Sprintf("%d connections, 2 files each: a proxy has one to each side", n), times(n, 2))
	d.floor("fs.nr_open", fmt.Sprintf("one process may hold all %d connections, 2 files each", n), times(n, 2))
	orphans := n/4 + 1
	d.floor("net.ipv4.tcp_max_orphans", fmt.Sprintf("a quarter of %d connections closing at once, %s at most", n, size(orphans, orphanBytes)), orphans)
	d.bufferMemory(n)
	d.checkMemory(n)
}

// bufferMemory derives tcp_mem in the kernel's own proportions (tcp_init_mem): low is 3/4 of pressure, high twice low.
func (d *deriver) bufferMemory(n uint64) {
	pressure := times(n, 2)
	reason := fmt.Sprintf("%d connections, 2 pages each before memory is saved", n)
	if half := d.memory() / 2 / d.page; half > 0 && times(n, 3) > half {
		pressure = half / 3 * 2
		reason = fmt.Sprintf("%d connections, held to half of the memory", n)
	}
	low := pressure / 4 * 3
	d.floor("net.ipv4.tcp_mem", reason, low, pressure, times(low, 2))
}

// checkMemory warns when the load does not fit the host.
func (d *deriver) checkMemory(n uint64) {
	each := conntrackBytes + bucketBytes + socketBytes + 2*d.page
	memory := d.memory()
	if memory == 0 || n <= memory/each {
		return
	}
	d.notes = append(d.notes, Note{Address: capacityAddress, Range: d.load.Range, Text: fmt.Sprintf(
		"%d connections take about %s of kernel memory (%d bytes each), this host has %s", n, size(n, each), each, size(memory, 1))})
}

// arriving derives from the connections that are opened each second.
func (d *deriver) arriving(perSecond uint64) {
	// A backlog was 16 bits wide before Linux 5.0, and a longer queue answers nobody in time.
	backlog := min(powerOfTwo(perSecond), math.MaxUint16)
	d.floor("net.core.somaxconn", fmt.Sprintf("%d new connections/s, 1 s in which none is accepted%s", perSecond, capped(backlog, perSecond)), backlog)
	d.floor("net.ipv4.tcp_max_syn_backlog", fmt.Sprintf("%d new connections/s, 1 s for each handshake%s", perSecond, capped(backlog, perSecond)), backlog)
	cpus := uint64(max(d.facts.CPUs, 1))
	d.floor("net.core.netdev_max_backlog", fmt.Sprintf("%d new connections/s, 1 s of SYNs on each of %d CPUs", perSecond, cpus), powerOfTwo(perSecond/cpus))
	closing := times(perSecond, uint64(timewait/time.Second))
	d.floor("net.ipv4.tcp_max_tw_buckets", fmt.Sprintf("%d new connections/s for the 60 s of TIME_WAIT, %s", perSecond, size(closing, timewaitBytes)), closing)
}

func capped(value, need uint64) string {
	if value < need {
		return fmt.Sprintf(", held to %d", value)
	}
	return ""
}

// memory is the host's, in bytes; 0 when unknown.
func (d *deriver) memory() uint64 { return times(d.facts.MemoryMiB, 1<<20) }

// ratePerSecond rounds up, so that a rate below one a second counts as one.
func ratePerSecond(r policy.Rate) uint64 {
	if r.Count == 0 || r.Interval <= 0 {
		return 0
	}
	interval := uint64(r.Interval)
	high, low := bits.Mul64(r.Count, uint64(time.Second))
	low, carry := bits.Add64(low, interval-1, 0)
	high += carry
	if high >= interval {
		return math.MaxUint64
	}
	perSecond, _ := bits.Div64(high, low, interval)
	return perSecond
}

// powerOfTwo is the least power of two that is n or more; past the last one it is n.
func powerOfTwo(n uint64) uint64 {
	if n > 1<<63 {
		return n
	}
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len64(n-1)
}

// times multiplies and stays at the largest number when the product is larger.
func times(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	if high != 0 {
		return math.MaxUint64
	}
	return low
}

// size prints n things of some bytes each: "160 MiB".
func size(n, each uint64) string {
	bytes := times(n, each)
	switch {
	case bytes >= 10<<30:
		return fmt.Sprintf("%d GiB", bytes>>30)
	case bytes >= 1<<20:
		return fmt.Sprintf("%d MiB", bytes>>20)
	default:
		return fmt.Sprintf("%d KiB", (bytes+1023)>>10)
	}
}
