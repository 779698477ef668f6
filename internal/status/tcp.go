package status

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TCP is how TCP fares in the namespace. Counters count since it was made.
type TCP struct {
	States States
	Queues Queues
	// Cookies are the kernel's own SYN cookies, sent when a listener's SYN queue is full (net.ipv4.tcp_syncookies).
	Cookies Cookies
	// Challenges are those of the synproxy, which policies with syn_flood use.
	Challenges Cookies
}

// States counts connections by state.
type States struct {
	// Counts are in the order of a connection's life, without states that no connection is in, and without TIME_WAIT.
	Counts []StateCount
	// TimeWait are the connections in TIME_WAIT; the kernel keeps count of them.
	TimeWait int
	// Incomplete says that there are more connections than were counted, see maxSockets.
	Incomplete bool
}

// StateCount is how many connections are in a state.
type StateCount struct {
	State string // "ESTABLISHED", "SYN_RECV"
	Count int
}

// Queues counts what the queues of listeners had no room for.
type Queues struct {
	AcceptOverflows uint64 // handshakes that found the accept queue full (ListenOverflows)
	ListenDrops     uint64 // connection attempts dropped by listeners for any reason (ListenDrops)
	SYNDropped      uint64 // SYNs dropped because the SYN queue was full (TCPReqQFullDrop)
	SYNCookied      uint64 // SYNs answered with a cookie because it was full (TCPReqQFullDoCookies)
}

// Cookies counts SYN cookies.
type Cookies struct{ Sent, Returned, Failed uint64 }

// extended takes in the TcpExt counters (net/ipv4/proc.c, snmp4_net_list).
func (t *TCP) extended(ext map[string]uint64) {
	t.Queues = Queues{
		AcceptOverflows: ext["ListenOverflows"], ListenDrops: ext["ListenDrops"],
		SYNDropped: ext["TCPReqQFullDrop"], SYNCookied: ext["TCPReqQFullDoCookies"],
	}
	t.Cookies = Cookies{Sent: ext["SyncookiesSent"], Returned: ext["SyncookiesRecv"], Failed: ext["SyncookiesFailed"]}
}

// stateNames are those of TCP_* in include/net/tcp_states.h, by number.
func stateNames() []string {
	return []string{
		"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING",
	}
}

// lifeOrder is the order of states in a connection's life.
func lifeOrder() []int { return []int{10, 2, 3, 1, 4, 5, 8, 9, 11} }

const (
	// maxSockets bounds how many sockets are counted, and countSockets for how long: a host may hold millions.
	maxSockets   = 200_000
	countSockets = time.Second
)

// states counts connections: TIME_WAIT as the kernel keeps count of it, the others one by one up to a bound.
func (p procFiles) states(ctx context.Context) (States, error) {
	text, err := p.read("thread-self/net/sockstat")
	var s States
	if err == nil {
		s.TimeWait, err = timeWaits(string(text))
	}
	if err != nil {
		return s, fmt.Errorf("count TCP connections: %w", err)
	}
	counts, err := sockets(ctx, maxSockets, time.Now().Add(countSockets))
	if s.Incomplete = errors.Is(err, errTooMany); s.Incomplete {
		err = nil
	}
	for _, state := range lifeOrder() {
		if counts[state] > 0 {
			s.Counts = append(s.Counts, StateCount{stateNames()[state], counts[state]})
		}
	}
	if err != nil {
		return s, fmt.Errorf("count TCP connections: %w", err)
	}
	return s, nil
}

// timeWaits reads the line "TCP: inuse 1 orphan 0 tw 3 alloc 5 mem 1" (net/ipv4/proc.c, sockstat_seq_show), whose tw is
// of both families.
func timeWaits(text string) (int, error) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(words); i += 2 {
			if words[i] == "tw" {
				return strconv.Atoi(words[i+1])
			}
		}
	}
	return 0, errors.New("sockstat does not tell the connections in TIME_WAIT")
}
