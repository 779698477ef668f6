package sysctl

// ConntrackModule has to be loaded before any of its keys exists. The kernel loads it for the first rule that asks for a
// connection's state.
const ConntrackModule = "nf_conntrack"

// conntrackKeys size connection tracking and say what it takes for valid.
var conntrackKeys = []Entry{
	{Key: "net.netfilter.nf_conntrack_max", Kind: Integer, Max: maxInt, Unit: "connections", Scope: ReadOnlyInChild, Module: ConntrackModule,
		Does: "tracked connections of a namespace; more are dropped with \"table full, dropping packet\"",
		Risk: "low drops good clients, high takes about 320 bytes for each"},
	{Key: "net.nf_conntrack_max", Kind: Integer, Max: maxInt, Unit: "connections", Scope: InitialOnly, Module: ConntrackModule,
		Does: "the same as net.netfilter.nf_conntrack_max", Risk: "as net.netfilter.nf_conntrack_max"},
	{Key: "net.netfilter.nf_conntrack_buckets", Kind: Integer, Min: 1, Max: maxInt, Unit: "buckets", Scope: ReadOnlyInChild, Module: ConntrackModule,
		Does: "hash chains of the table, rounded up to whole pages (512); a change rehashes it all",
		Risk: "few make every look-up walk a long chain"},
	{Key: "net.netfilter.nf_conntrack_count", Kind: Integer, Max: maxInt, Unit: "connections", Scope: PerNamespace, ReadOnly: true, Module: ConntrackModule,
		Does: "connections tracked now", Risk: "none"},
	{Key: "net.netfilter.nf_conntrack_expect_max", Kind: Integer, Min: 1, Max: maxInt, Unit: "expectations", Scope: ReadOnlyInChild, Module: ConntrackModule,
		Does: "connections that helpers may expect", Risk: "high lets a client open more of them"},
	{Key: "net.netfilter.nf_conntrack_tcp_loose", Kind: Boolean, Scope: PerNamespace, Module: ConntrackModule,
		Does: "picks up connections whose handshake was not seen", Risk: "1 tracks forged ACKs; 0 drops live connections after a restart and is needed by synproxy"},
	{Key: "net.netfilter.nf_conntrack_tcp_be_liberal", Kind: Boolean, Scope: PerNamespace, Module: ConntrackModule,
		Does: "takes only RST outside the window for invalid", Risk: "1 lets forged segments pass, 0 calls odd but good peers invalid"},
	{Key: "net.netfilter.nf_conntrack_tcp_ignore_invalid_rst", Kind: Boolean, Scope: PerNamespace, Since: "5.14", Module: ConntrackModule,
		Does: "does not call RST outside the window invalid", Risk: "1 lets forged RST pass"},
	{Key: "net.netfilter.nf_conntrack_tcp_max_retrans", Kind: Integer, Max: 255, Unit: "retransmissions", Scope: PerNamespace, Module: ConntrackModule,
		Does: "retransmissions without an answer after which nf_conntrack_tcp_timeout_max_retrans holds", Risk: "low forgets slow connections"},
	{Key: "net.netfilter.nf_conntrack_checksum", Kind: Boolean, Scope: PerNamespace, Module: ConntrackModule,
		Does: "calls packets with a wrong checksum invalid", Risk: "0 tracks garbage"},
	{Key: "net.netfilter.nf_conntrack_acct", Kind: Boolean, Scope: PerNamespace, Module: ConntrackModule,
		Does: "counts the packets and bytes of connections that start from now on", Risk: "1 takes memory and time for each"},
	{Key: "net.netfilter.nf_conntrack_timestamp", Kind: Boolean, Scope: PerNamespace, Module: ConntrackModule,
		Does: "keeps the start and end of connections", Risk: "1 takes memory for each"},
	{Key: "net.netfilter.nf_conntrack_events", Kind: Enum, Max: 2, Scope: PerNamespace, Module: ConntrackModule,
		Does: "tells programs about changes: 0 never, 1 always, 2 when one listens", Risk: "1 takes memory for each connection"},
	{Key: "net.netfilter.nf_conntrack_log_invalid", Kind: Integer, Max: 255, Unit: "protocol", Scope: PerNamespace, Module: ConntrackModule,
		Does: "logs invalid packets of a protocol number, 255 of all", Risk: "a flood fills the log"},
	{Key: "net.netfilter.nf_conntrack_helper", Kind: Boolean, Scope: PerNamespace, Until: "5.19", Module: ConntrackModule,
		Does: "gives helpers to connections by their port", Risk: "1 lets clients open ports (CVE-2014-8160 and others)"},
	{Key: "net.netfilter.nf_conntrack_frag6_high_thresh", Kind: Integer, Max: 1<<63 - 1, Unit: "bytes", Scope: PerNamespace, Module: ConntrackModule,
		Does: "memory for IPv6 fragments that connection tracking joins", Risk: "high lets a fragment flood take memory"},
	{Key: "net.netfilter.nf_conntrack_frag6_low_thresh", Kind: Integer, Max: 1<<63 - 1, Unit: "bytes", Scope: PerNamespace, Module: ConntrackModule,
		Does: "nothing since Linux 4.17; not above nf_conntrack_frag6_high_thresh", Risk: "none"},
}

// conntrackTimeoutKeys say how long an entry outlives its last packet.
var conntrackTimeoutKeys = []Entry{
	timeout("tcp_timeout_syn_sent", "a SYN without an answer", "long keeps scans in the table"),
	timeout("tcp_timeout_syn_recv", "a SYN-ACK without an answer", "long keeps spoofed SYNs in the table, 10 is enough"),
	timeout("tcp_timeout_established", "an idle connection", "long keeps dead ones for days, short cuts idle clients off"),
	timeout("tcp_timeout_fin_wait", "a connection that one side closed", "long keeps dead ones"),
	timeout("tcp_timeout_close_wait", "a connection that the peer closed", "short cuts slow programs off"),
	timeout("tcp_timeout_last_ack", "a connection that waits for its last ACK", "long keeps dead ones"),
	timeout("tcp_timeout_time_wait", "a closed connection", "long fills the table with closed ones"),
	timeout("tcp_timeout_close", "a connection that was reset", "long keeps dead ones"),
	timeout("tcp_timeout_max_retrans", "a connection that retransmits without an answer", "long keeps dead ones"),
	timeout("tcp_timeout_unacknowledged", "a connection with data that nobody acknowledges", "long keeps dead ones"),
	timeout("sctp_timeout_established", "an idle SCTP association", "long keeps dead ones"),
	timeout("generic_timeout", "a flow of another protocol", "long keeps dead ones"),
	timeout("udp_timeout", "a datagram without an answer", "long keeps scans in the table"),
	timeout("udp_timeout_stream", "a UDP flow with answers", "short breaks idle UDP services"),
	timeout("icmp_timeout", "a ping", "long keeps scans in the table"),
	timeout("icmpv6_timeout", "an IPv6 ping", "long keeps scans in the table"),
	timeout("frag6_timeout", "an IPv6 fragment that waits for the rest", "long lets a fragment flood hold memory"),
}

func timeout(name, what, risk string) Entry {
	return Entry{Key: "net.netfilter.nf_conntrack_" + name, Kind: Integer, Min: 1, Max: maxSeconds, Unit: "s", Scope: PerNamespace,
		Module: ConntrackModule, Does: "how long after its last packet " + what + " is tracked", Risk: risk}
}
