package host

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Connection is an open TCP connection of this host.
type Connection struct{ Local, Remote netip.AddrPort }

// States of linux/tcp_states.h in which packets of a connection still come and go.
const openStates = 1<<1 | 1<<4 | 1<<5 | 1<<8 | 1<<9 | 1<<11 // ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT LAST_ACK CLOSING

// Connections gives the open TCP connections of the thread's network namespace, in no order. IPv4 connections of IPv6
// sockets are given as what they are.
func Connections() ([]Connection, error) {
	var all []Connection
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		replies, err := dumpSockets(family, openStates)
		if err != nil {
			return nil, fmt.Errorf("list TCP connections: %w", err)
		}
		for _, m := range replies {
			if m.Header.Type != sockDiagByFamily {
				continue
			}
			if len(m.Data) < responseLen {
				return nil, fmt.Errorf("list TCP connections: the kernel's answer has %d bytes, want %d", len(m.Data), responseLen)
			}
			all = append(all, decodeConnection(m.Data))
		}
	}
	return all, nil
}

// decodeConnection reads a struct inet_diag_msg.
func decodeConnection(b []byte) Connection {
	local, remote := diagAddr(b[0], b[8:]), diagAddr(b[0], b[24:])
	return Connection{
		Local:  netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:])),
		Remote: netip.AddrPortFrom(remote, binary.BigEndian.Uint16(b[6:])),
	}
}

func diagAddr(family uint8, b []byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}

// dumpSockets asks for the sockets of a family in the given states. A kernel without IPv6 has none.
func dumpSockets(family uint8, states uint32) ([]netlink.Message, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return executeDump(conn, family, states)
}
