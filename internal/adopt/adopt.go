// Package adopt tells conntrack of connections it has not seen, so that putting a synproxy before a service does not cut
// those that are open. A synproxy needs nf_conntrack_tcp_loose=0, and from then on a packet of an unknown connection is
// invalid: without this, the first apply on a host that did not use conntrack would end every session on the guarded
// ports.
package adopt

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/policy"
)

const (
	// idleTime is how long an adopted connection may be silent, in seconds: conntrack's own default for established
	// ones. The first packet brings the configured time.
	idleTime = 432000
	// established is TCP_CONNTRACK_ESTABLISHED.
	established = 3
	// liberal is IP_CT_TCP_FLAG_BE_LIBERAL as flags and mask: conntrack has not seen the windows of the connection, so
	// it must not judge by them.
	liberal = 0x0808
)

// Connections tells conntrack of the open TCP connections to the given local ports, in the thread's network namespace,
// and gives their number. Connections that conntrack knows are made lenient towards windows it may have lost track of.
// A kernel without ctnetlink adopts none, which is no error.
func Connections(ports []policy.PortRange) (int, error) {
	sockets, err := host.Connections()
	if err != nil {
		return 0, err
	}
	conn, err := conntrack.Dial(nil)
	if err != nil {
		return 0, fmt.Errorf("open conntrack: %w", err)
	}
	defer conn.Close()
	adopted := 0
	for _, s := range sockets {
		if !covers(ports, s.Local.Port()) {
			continue
		}
		switch err := tell(conn, s.Remote, s.Local); {
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT):
			return 0, nil
		case errors.Is(err, unix.ENOENT):
			// It ended between being listed and being told of.
		case err != nil:
			return adopted, fmt.Errorf("tell conntrack of %s to %s: %w", s.Remote, s.Local, err)
		default:
			adopted++
		}
	}
	return adopted, nil
}

func covers(ports []policy.PortRange, port uint16) bool {
	for _, p := range ports {
		if p.First <= port && port <= p.Last {
			return true
		}
	}
	return false
}

func tell(conn *conntrack.Conn, client, service netip.AddrPort) error {
	flow := conntrack.NewFlow(unix.IPPROTO_TCP, conntrack.StatusConfirmed|conntrack.StatusSeenReply|conntrack.StatusAssured,
		client.Addr(), service.Addr(), client.Port(), service.Port(), idleTime, 0)
	flow.ProtoInfo.TCP = &conntrack.ProtoInfoTCP{State: established, OriginalFlags: liberal, ReplyFlags: liberal}
	err := conn.Create(flow)
	if errors.Is(err, unix.EEXIST) {
		return conn.Update(flow)
	}
	return err
}
