package sysctl

// neighborKeys are those of the ARP and the IPv6 neighbour tables, which share their code and their keys.
func neighborKeys() []Entry {
	var all []Entry
	for _, family := range []string{"net.ipv4", "net.ipv6"} {
		all = append(all, neighborTable(family+".neigh.default.")...)
		// Unlike conf.default, what new interfaces take over is shown to the initial network namespace alone.
		all = append(all, neighborDevice(family+".neigh.default.", InitialOnly)...)
		all = append(all, neighborDevice(family+".neigh.*.", PerNamespace)...)
	}
	return all
}

// neighborTable sizes a table; it belongs to the initial network namespace.
func neighborTable(prefix string) []Entry {
	return []Entry{
		{Key: prefix + "gc_thresh1", Kind: Integer, Max: maxInt, Unit: "neighbours", Scope: InitialOnly,
			Does: "neighbours that are always kept", Risk: "high keeps stale ones"},
		{Key: prefix + "gc_thresh2", Kind: Integer, Max: maxInt, Unit: "neighbours", Scope: InitialOnly,
			Does: "neighbours above which those older than 5 s are dropped", Risk: "low asks for good ones again and again"},
		{Key: prefix + "gc_thresh3", Kind: Integer, Max: maxInt, Unit: "neighbours", Scope: InitialOnly,
			Does: "neighbours at most; more fail with \"neighbour table overflow\"", Risk: "low loses connections on large links, high lets a scan take memory"},
		{Key: prefix + "gc_interval", Kind: Integer, Min: 1, Max: maxSeconds, Unit: "s", Scope: InitialOnly,
			Does: "time between two clean-ups", Risk: "long keeps stale neighbours"},
	}
}

// neighborDevice is what each interface has.
func neighborDevice(prefix string, scope Scope) []Entry {
	return []Entry{
		{Key: prefix + "gc_stale_time", Kind: Integer, Min: 1, Max: maxSeconds, Unit: "s", Scope: scope,
			Does: "how long an unused neighbour is kept", Risk: "long keeps stale neighbours"},
		{Key: prefix + "base_reachable_time_ms", Kind: Integer, Min: minMillis, Max: maxMillis, Unit: "ms", Scope: scope,
			Does: "how long, on average, a confirmed neighbour needs no new proof", Risk: "long follows a move late"},
		{Key: prefix + "retrans_time_ms", Kind: Integer, Min: minMillis, Max: maxMillis, Unit: "ms", Scope: scope,
			Does: "time between two requests for a neighbour", Risk: "long delays first packets"},
		{Key: prefix + "delay_first_probe_time", Kind: Integer, Max: maxSeconds, Unit: "s", Scope: scope,
			Does: "how long a stale neighbour is used before it is probed", Risk: "long sends into nothing"},
		{Key: prefix + "ucast_solicit", Kind: Integer, Max: maxInt, Unit: "probes", Scope: scope,
			Does: "probes to a known neighbour before it is sought anew", Risk: "low loses it in short outages"},
		{Key: prefix + "mcast_solicit", Kind: Integer, Max: maxInt, Unit: "probes", Scope: scope,
			Does: "requests before a neighbour is said to be missing", Risk: "low fails on lossy links"},
		{Key: prefix + "mcast_resolicit", Kind: Integer, Max: maxInt, Unit: "probes", Scope: scope,
			Does: "multicast requests after the unicast ones, for a neighbour that was known", Risk: "low loses it when it moves"},
		{Key: prefix + "unres_qlen_bytes", Kind: Integer, Max: maxInt, Unit: "bytes", Scope: scope,
			Does: "packets that wait for each unresolved neighbour", Risk: "high lets a scan take memory, low drops first packets"},
		{Key: prefix + "unres_qlen", Kind: Integer, Max: 1 << 19, Unit: "packets", Scope: scope,
			Does: "unres_qlen_bytes in packets of usual size", Risk: "as unres_qlen_bytes"},
	}
}
