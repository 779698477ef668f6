package sysctl

import (
	"cmp"
	"slices"
	"strings"
)

// Order sorts steps so that no write is refused, or undone, because of another one of them. Undoing them backwards is
// then right as well. Apart from the rules below, keys are written in alphabetical order.
//
//   - Forwarding first: ip_forward and conf.all.forwarding set conf.*.forwarding and conf.all.accept_redirects
//     themselves (inet_forward_change), and would overwrite what was declared for those.
//   - conf.all, then conf.default, then interfaces: the kernel copies from the general to the particular.
//   - The ceilings of net.core and of fs before what lies below them: rmem_max and wmem_max before tcp_rmem and
//     tcp_wmem, nr_open before file-max.
//   - nf_conntrack_buckets before nf_conntrack_max: the table is rehashed while it is small.
//   - ip_local_reserved_ports before ip_local_port_range: a port is reserved before it can be picked.
//   - Keys that bound each other (see bounds) in the order in which neither write is refused.
func Order(steps []Step) []Step {
	sorted := slices.Clone(steps)
	slices.SortStableFunc(sorted, func(a, b Step) int {
		return cmp.Or(cmp.Compare(rank(a.Key), rank(b.Key)), cmp.Compare(a.Key, b.Key))
	})
	for _, b := range bounds {
		settle(sorted, b)
	}
	return sorted
}

// rank is the group in which a key is written; lower is earlier.
func rank(key string) int {
	switch {
	case key == "net.ipv4.ip_forward":
		return 0
	case strings.HasSuffix(key, ".conf.all.forwarding"), strings.HasSuffix(key, ".conf.all.disable_ipv6"):
		return 1
	case strings.Contains(key, ".conf.all."), strings.Contains(key, ".neigh.default."):
		return 2
	case strings.Contains(key, ".conf.default."):
		return 3
	case key == "fs.nr_open", strings.HasPrefix(key, "net.core."):
		return 4
	case key == "net.netfilter.nf_conntrack_buckets", key == "net.ipv4.ip_local_reserved_ports":
		return 5
	default:
		return 6
	}
}

// bound says that the kernel refuses (EINVAL) to set a field of low above the first field of high, or high below low.
type bound struct{ low, high string }

// bounds were tried on Linux 6.18.
var bounds = []bound{
	{"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_port_range"},
	{"net.ipv4.ipfrag_low_thresh", "net.ipv4.ipfrag_high_thresh"},
	{"net.ipv6.ip6frag_low_thresh", "net.ipv6.ip6frag_high_thresh"},
	{"net.netfilter.nf_conntrack_frag6_low_thresh", "net.netfilter.nf_conntrack_frag6_high_thresh"},
	{"net.ipv4.tcp_reordering", "net.ipv4.tcp_max_reordering"},
}

// settle orders the two steps of a bound: low goes first when its new value fits below the high one in force.
func settle(steps []Step, b bound) {
	low := slices.IndexFunc(steps, func(s Step) bool { return s.Key == b.low })
	high := slices.IndexFunc(steps, func(s Step) bool { return s.Key == b.high })
	if low < 0 || high < 0 || len(steps[low].After) == 0 || len(steps[high].Before) == 0 {
		return
	}
	order, numbers := compare(steps[low].After[0], steps[high].Before[0])
	lowFirst := numbers && order <= 0
	if lowFirst != (low < high) {
		steps[low], steps[high] = steps[high], steps[low]
	}
}
