package status

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errTooMany says that counting was given up; what was counted is a part.
var errTooMany = errors.New("too many connections to count")

// Sizes and codes of linux/sock_diag.h and linux/inet_diag.h.
const (
	sockDiagByFamily = 20
	diagRequestLen   = unix.SizeofNlMsghdr + 56 // struct inet_diag_req_v2
	diagStateAt      = 1                        // struct inet_diag_msg
	diagBuffer       = 64 << 10
	// diagStates leaves out TIME_WAIT, which sockstat counts for nothing, and CLOSE.
	diagStates = 0xfff &^ (1<<6 | 1<<7 | 1)
	numStates  = 12
)

// sockets counts the TCP sockets of the thread's namespace by state. It gives up with errTooMany after most sockets or
// at a time: the kernel walks its hash table only as far as it is asked to, so that bounds what counting costs it.
func sockets(ctx context.Context, most int, until time.Time) (counts [numStates]int, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		err := socketsOf(ctx, family, most, until, &counts)
		switch {
		case errors.Is(err, unix.ENOENT) && family == unix.AF_INET6: // a kernel without IPv6
		case err != nil:
			return counts, err
		}
	}
	return counts, nil
}

func socketsOf(ctx context.Context, family uint8, most int, until time.Time, counts *[numStates]int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd) // ends a dump that was given up
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Sendto(fd, diagRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	buf := make([]byte, diagBuffer)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("recvfrom", err)
		}
		done, err := countStates(buf[:n], counts)
		total := 0
		for _, c := range counts {
			total += c
		}
		switch {
		case err != nil || done:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case total >= most || time.Now().After(until):
			return errTooMany
		}
	}
}

// diagRequest asks for all TCP sockets of a family in the states that are counted.
func diagRequest(family uint8) []byte {
	b := make([]byte, diagRequestLen)
	binary.NativeEndian.PutUint32(b, diagRequestLen)
	binary.NativeEndian.PutUint16(b[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := b[unix.SizeofNlMsghdr:]
	body[0], body[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(body[4:], diagStates)
	return b
}

// countStates counts the sockets of one run of messages. done says that the dump has ended.
func countStates(b []byte, counts *[numStates]int) (done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return false, fmt.Errorf("the kernel's answer is cut short: %d of %d bytes", len(b), size)
		}
		body := b[unix.SizeofNlMsghdr:size]
		switch typ := binary.NativeEndian.Uint16(b[4:]); {
		case typ == unix.NLMSG_DONE:
			return true, nil
		case typ == unix.NLMSG_ERROR && len(body) >= 4:
			return true, unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
		case typ == sockDiagByFamily && len(body) > diagStateAt:
			if state := int(body[diagStateAt]); state < numStates {
				counts[state]++
			}
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return false, nil
}
