package traffic

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many frames one system call hands over: enough to make its cost vanish, and few enough that the frames
// do not overrun net.core.netdev_max_backlog (1000) on the other side.
const batch = 64

// Wire is an interface that frames are sent out of as they are.
type Wire struct {
	Hardware, Peer net.HardwareAddr // this end's address and the other's

	fd      int
	headers [batch]mmsghdr
	vectors [batch]unix.Iovec
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	_      uint32 // filled in by recvmmsg only
}

// OpenWire opens the interface with the given index. It needs CAP_NET_RAW.
func OpenWire(s Space, index int, hardware, peer net.HardwareAddr) (*Wire, error) {
	w := &Wire{Hardware: hardware, Peer: peer, fd: -1}
	err := s.Do(func() error {
		// Protocol 0: the socket sends and receives nothing.
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		w.fd = fd
		// Straight to the driver, as an attacker's packets come from outside and have no queueing discipline of ours.
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
			return os.NewSyscallError("setsockopt PACKET_QDISC_BYPASS", err)
		}
		return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}))
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open packet socket: %w", err), w.Close())
	}
	return w, nil
}

// Close closes the socket.
func (w *Wire) Close() error {
	if w.fd < 0 {
		return nil
	}
	return unix.Close(w.fd)
}

// Send sends up to 64 frames in one call and says how many the kernel took. Frames that found its buffers full are
// lost, which an attacker would not notice either.
func (w *Wire) Send(frames []*Frame) (int, error) {
	frames = frames[:min(len(frames), batch)]
	for i, f := range frames {
		w.vectors[i] = unix.Iovec{Base: &f.bytes[0]}
		w.vectors[i].SetLen(len(f.bytes))
		w.headers[i].header.Iov = &w.vectors[i]
		w.headers[i].header.SetIovlen(1)
	}
	// MSG_DONTWAIT: a full send buffer must not hold up the pacing.
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&w.headers)), uintptr(len(frames)), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN, unix.ENOBUFS, unix.EINTR:
		return 0, nil
	}
	return 0, os.NewSyscallError("sendmmsg", errno)
}
