package sysctl

// windowKeys size the windows and buffers of one connection.
var windowKeys = []Entry{
	{Key: "net.ipv4.tcp_window_scaling", Kind: Boolean, Scope: PerNamespace,
		Does: "windows above 64 KiB (RFC 7323)", Risk: "0 caps the throughput of long paths"},
	{Key: "net.ipv4.tcp_rmem", Kind: Integers, Min: 1, Max: maxInt, Fields: 3, Ascending: true, Unit: "bytes", Scope: PerNamespace,
		Does: "receive buffer of a connection: least, first and largest", Risk: "the largest times the connections may exceed memory"},
	{Key: "net.ipv4.tcp_wmem", Kind: Integers, Min: 1, Max: maxInt, Fields: 3, Ascending: true, Unit: "bytes", Scope: PerNamespace,
		Does: "send buffer of a connection: least, first and largest", Risk: "the largest times the connections may exceed memory"},
	{Key: "net.ipv4.tcp_moderate_rcvbuf", Kind: Boolean, Scope: PerNamespace,
		Does: "grows receive buffers as needed, up to tcp_rmem's largest", Risk: "0 leaves every buffer at its first size"},
	{Key: "net.ipv4.tcp_adv_win_scale", Kind: Integer, Min: -31, Max: 31, Scope: PerNamespace,
		Does: "part of the receive buffer that is overhead; obsolete since Linux 6.6", Risk: "a wrong share wastes memory or window"},
	{Key: "net.ipv4.tcp_app_win", Kind: Integer, Max: 31, Scope: PerNamespace,
		Does: "part of the window kept for the application", Risk: "low shrinks windows"},
	{Key: "net.ipv4.tcp_notsent_lowat", Kind: Integer, Max: 1<<32 - 1, Unit: "bytes", Scope: PerNamespace,
		Does: "unsent data in a socket above which it is not writable", Risk: "low wakes programs often, high holds memory"},
	{Key: "net.ipv4.tcp_limit_output_bytes", Kind: Integer, Min: 1, Max: maxInt, Unit: "bytes", Scope: PerNamespace,
		Does: "data of one connection in the queues of the device", Risk: "high adds latency, low starves fast links"},
	{Key: "net.ipv4.tcp_workaround_signed_windows", Kind: Boolean, Scope: PerNamespace,
		Does: "takes a window without scaling for a signed number", Risk: "1 halves the window of sound peers"},
	{Key: "net.ipv4.tcp_shrink_window", Kind: Boolean, Scope: PerNamespace, Since: "6.5",
		Does: "lets the window shrink when memory is short", Risk: "1 is against RFC 1122, 0 can exceed the buffer"},
}

// memoryKeys bound the memory of all connections together.
var memoryKeys = []Entry{
	{Key: "net.ipv4.tcp_mem", Kind: Integers, Max: 1<<63 - 1, Fields: 3, Ascending: true, Unit: "pages", Scope: InitialOnly,
		Does: "memory of all TCP buffers: no care below the first, saving above the second, no more at the third",
		Risk: "low stalls and drops connections, high lets buffers push programs out of memory"},
	{Key: "net.ipv4.udp_mem", Kind: Integers, Max: 1<<63 - 1, Fields: 3, Ascending: true, Unit: "pages", Scope: InitialOnly,
		Does: "memory of all UDP buffers, as tcp_mem", Risk: "low drops datagrams"},
	{Key: "net.ipv4.udp_rmem_min", Kind: Integer, Min: 1, Max: maxInt, Unit: "bytes", Scope: PerNamespace,
		Does: "receive buffer that a UDP socket keeps when memory is short", Risk: "memory for each socket"},
	{Key: "net.ipv4.udp_wmem_min", Kind: Integer, Min: 1, Max: maxInt, Unit: "bytes", Scope: PerNamespace,
		Does: "send buffer that a UDP socket keeps when memory is short", Risk: "memory for each socket"},
}

// hostKeys are those outside net that carry connections.
var hostKeys = []Entry{
	{Key: "fs.file-max", Kind: Integer, Max: 1<<63 - 1, Unit: "files", Scope: Host,
		Does: "open files of the whole host; each connection is one", Risk: "low fails accept(2) for everybody"},
	{Key: "fs.nr_open", Kind: Integer, Min: 64, Max: maxInt - 63, Unit: "files", Scope: Host,
		Does: "highest limit of open files that a process may be given (RLIMIT_NOFILE)",
		Risk: "low makes services fail to start; the limit itself is set by the service manager"},
	{Key: "fs.file-nr", Kind: Integers, Max: 1<<63 - 1, Fields: 3, Unit: "files", Scope: Host, ReadOnly: true,
		Does: "open files, unused ones and fs.file-max", Risk: "none"},
	{Key: "fs.epoll.max_user_watches", Kind: Integer, Max: 1<<63 - 1, Unit: "watches", Scope: Host,
		Does: "descriptors that one user may have in epoll sets; each takes about 160 bytes", Risk: "low fails epoll_ctl(2)"},
	{Key: "vm.min_free_kbytes", Kind: Integer, Max: maxInt, Unit: "KiB", Scope: Host,
		Does: "memory kept free, from which packets are received when memory is short",
		Risk: "low loses packets, high starves programs or kills them"},
	{Key: "vm.max_map_count", Kind: Integer, Max: maxInt, Unit: "mappings", Scope: Host,
		Does: "memory mappings of one process; a thread's stack is one or two", Risk: "low fails programs with a thread for each connection"},
	{Key: "vm.overcommit_memory", Kind: Enum, Max: 2, Scope: Host,
		Does: "how much memory may be promised: 0 by guess, 1 all, 2 up to a limit", Risk: "2 fails fork(2) of large servers"},
	{Key: "vm.swappiness", Kind: Integer, Max: 200, Scope: Host,
		Does: "how readily memory of programs is swapped rather than caches dropped", Risk: "high adds latency"},
	{Key: "kernel.threads-max", Kind: Integer, Min: 1, Max: 0x3fffffff, Unit: "threads", Scope: Host,
		Does: "threads of the whole host", Risk: "low fails servers with a thread for each connection"},
	{Key: "kernel.pid_max", Kind: Integer, Min: 301, Max: 1 << 22, Unit: "threads", Scope: Host,
		Does: "highest thread number, and so another limit of threads", Risk: "low fails servers with a thread for each connection"},
}
