package host

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Listener is a TCP socket in LISTEN.
type Listener struct {
	Address netip.Addr // local; unspecified when it listens on all
	Port    uint16     // 1-65535
	V6Only  bool       // an IPv6 socket that takes no IPv4 connections
	Device  uint32     // index of the interface it is bound to, 0 for all
	Queued  uint32     // connections in the accept queue
	Backlog uint32     // most connections the queue holds: the smaller of what listen(2) asked for and somaxconn then
	Inode   uint32     // of the socket
	UID     uint32     // owner, as this user namespace numbers users
	Process Process    // who holds the socket; the zero value when that could not be seen
}

// Process is a process that holds a socket.
type Process struct {
	PID     int    // 0: unknown
	Command string // as the kernel keeps it: 15 bytes at most, what cannot be printed replaced by "?"
}

// Listeners gives the TCP listeners of the thread's network namespace, sorted by port and address. Processes are known
// to root and to the owner of the process; where several share a socket the one with the lowest PID is named.
func (r Root) Listeners(ctx context.Context) ([]Listener, error) {
	var all []Listener
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found, err := dumpListeners(ctx, family)
		if err != nil {
			return nil, fmt.Errorf("list TCP listeners: %w", err)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), a.Address.Compare(b.Address), cmp.Compare(a.Inode, b.Inode))
	})
	if len(all) == 0 {
		return nil, nil
	}
	owners, err := r.owners(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("find the processes of listeners: %w", err)
	}
	for i := range all {
		all[i].Process = owners[all[i].Inode]
	}
	return all, nil
}

// Sizes and codes of linux/sock_diag.h and linux/inet_diag.h.
const (
	sockDiagByFamily = 20
	requestLen       = 56 // struct inet_diag_req_v2
	responseLen      = 72 // struct inet_diag_msg
	stateListen      = 10 // TCP_LISTEN
	attrV6Only       = 11 // INET_DIAG_SKV6ONLY
)

// maxDumps bounds how often a dump that others disturbed is begun again.
const maxDumps = 5

// dumpListeners asks for sockets in LISTEN alone: a busy host has a million others.
func dumpListeners(ctx context.Context, family uint8) ([]Listener, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	replies, err := executeDump(conn, family, 1<<stateListen)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return decodeListeners(replies)
}

// executeDump asks for the sockets of a family in the given states, again when others disturbed the dump. A kernel
// without IPv6 has none of that family.
func executeDump(conn *netlink.Conn, family uint8, states uint32) (replies []netlink.Message, err error) {
	request := make([]byte, requestLen)
	request[0], request[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(request[4:], states)
	for range maxDumps {
		replies, err = conn.Execute(netlink.Message{
			Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump},
			Data:   request,
		})
		if !errors.Is(err, unix.EINTR) && !interrupted(replies) {
			break
		}
	}
	if errors.Is(err, unix.ENOENT) && family == unix.AF_INET6 {
		return nil, nil
	}
	return replies, err
}

// interrupted says whether the table changed during the dump (NLM_F_DUMP_INTR).
func interrupted(replies []netlink.Message) bool {
	return slices.ContainsFunc(replies, func(m netlink.Message) bool {
		return m.Header.Flags&netlink.DumpInterrupted != 0
	})
}

// decodeListeners reads the replies as struct inet_diag_msg.
func decodeListeners(replies []netlink.Message) ([]Listener, error) {
	var found []Listener
	for _, m := range replies {
		if m.Header.Type != sockDiagByFamily {
			continue
		}
		if len(m.Data) < responseLen {
			return nil, fmt.Errorf("the kernel's answer has %d bytes, want %d", len(m.Data), responseLen)
		}
		b := m.Data
		l := Listener{
			Port:    binary.BigEndian.Uint16(b[4:]),
			Device:  binary.NativeEndian.Uint32(b[40:]),
			Queued:  binary.NativeEndian.Uint32(b[56:]),
			Backlog: binary.NativeEndian.Uint32(b[60:]),
			UID:     binary.NativeEndian.Uint32(b[64:]),
			Inode:   binary.NativeEndian.Uint32(b[68:]),
		}
		if b[0] == unix.AF_INET {
			l.Address = netip.AddrFrom4([4]byte(b[8:]))
		} else {
			l.Address = netip.AddrFrom16([16]byte(b[8:]))
		}
		attributes, err := netlink.NewAttributeDecoder(b[responseLen:])
		if err != nil {
			return nil, fmt.Errorf("decode the kernel's answer: %w", err)
		}
		for attributes.Next() {
			if attributes.Type() == attrV6Only {
				l.V6Only = attributes.Uint8() != 0
			}
		}
		if err := attributes.Err(); err != nil {
			return nil, fmt.Errorf("decode the kernel's answer: %w", err)
		}
		found = append(found, l)
	}
	return found, nil
}
