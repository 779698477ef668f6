package nettest

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Sender sends packets with whatever source address they carry. They take the ordinary route from the namespace, and
// the veth hands each to the other side before the system call returns or very soon after: await what they cause.
type Sender struct{ fd4, fd6 int }

// NewSender opens raw sockets in the namespace.
func NewSender(t T, ns *NS) *Sender {
	t.Helper()
	s := &Sender{}
	ns.Do(t, func() {
		s.fd4 = rawSocket(t, unix.AF_INET)
		s.fd6 = rawSocket(t, unix.AF_INET6)
	})
	return s
}

// rawSocket takes packets with their IP header: IPPROTO_RAW implies the header option in both families.
func rawSocket(t T, family int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		t.Fatalf("open raw socket: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// SYN sends one SYN.
func (s *Sender) SYN(t T, from, to netip.AddrPort) {
	t.Helper()
	s.Send(t, to.Addr(), Segment(from, to, SYN, 1, 0))
}

// SYNs sends n SYNs from one source, each from a port of its own, so that each is a new connection. Ports count from
// 1024 on; n is at most 64512.
func (s *Sender) SYNs(t T, from netip.Addr, to netip.AddrPort, n int) {
	t.Helper()
	for i := range n {
		s.SYN(t, netip.AddrPortFrom(from, uint16(1024+i)), to)
	}
}

// Send sends an IP packet as Segment and Datagram build it.
func (s *Sender) Send(t T, to netip.Addr, packet []byte) {
	t.Helper()
	if err := s.send(to, packet); err != nil {
		t.Fatalf("send raw packet to %v: %v", to, err)
	}
}

// Seen is a TCP segment that reached an interface.
type Seen struct {
	From, To netip.AddrPort
	Flags    Flags
}

// Capture records the TCP segments that arrive at an interface, before the namespace's own stack or rules see them:
// also answers to spoofed sources.
type Capture struct {
	fd   int
	done chan struct{}
	mu   sync.Mutex
	seen []Seen
}

// NewCapture starts capturing.
func NewCapture(t T, e End) *Capture {
	t.Helper()
	c := &Capture{done: make(chan struct{})}
	e.NS.Do(t, func() {
		// Protocol 0 at first: nothing is queued before bind names the interface.
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatalf("open packet socket: %v", err)
		}
		c.fd = fd
		// The read timeout lets the reader notice that the test is over.
		timeout := unix.NsecToTimeval(int64(20 * time.Millisecond))
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
			t.Fatalf("set packet socket's timeout: %v", err)
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
			t.Fatalf("enlarge packet socket's buffer: %v", err)
		}
		address := &unix.SockaddrLinklayer{Protocol: hostToNet(unix.ETH_P_ALL), Ifindex: e.link(t).Attrs().Index}
		if err := unix.Bind(fd, address); err != nil {
			t.Fatalf("bind packet socket: %v", err)
		}
	})
	stop := make(chan struct{})
	go c.read(stop)
	t.Cleanup(func() {
		close(stop)
		<-c.done
		unix.Close(c.fd)
	})
	return c
}

// Count is how many segments with exactly these flags have arrived so far, from a port.
func (c *Capture) Count(port uint16, flags Flags) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, s := range c.seen {
		if s.Flags == flags && s.From.Port() == port {
			n++
		}
	}
	return n
}

// Seen gives every segment that has arrived so far.
func (c *Capture) Seen() []Seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Seen(nil), c.seen...)
}

func (c *Capture) read(stop chan struct{}) {
	defer close(c.done)
	buffer := make([]byte, 2048)
	for {
		n, from, err := unix.Recvfrom(c.fd, buffer, 0)
		select {
		case <-stop:
			return
		default:
		}
		if link, ok := from.(*unix.SockaddrLinklayer); err != nil || !ok || link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if seen, ok := parse(buffer[:n]); ok {
			c.mu.Lock()
			c.seen = append(c.seen, seen)
			c.mu.Unlock()
		}
	}
}

// parse reads an IPv4 or IPv6 packet without extension headers, which is all that these tests send.
func parse(p []byte) (seen Seen, ok bool) {
	var from, to, tcp []byte
	switch {
	case len(p) >= 40 && p[0]>>4 == 4 && p[9] == unix.IPPROTO_TCP:
		from, to, tcp = p[12:16], p[16:20], p[int(p[0]&15)*4:]
	case len(p) >= 60 && p[0]>>4 == 6 && p[6] == unix.IPPROTO_TCP:
		from, to, tcp = p[8:24], p[24:40], p[40:]
	}
	if len(tcp) < 20 {
		return Seen{}, false
	}
	source, _ := netip.AddrFromSlice(from)
	destination, _ := netip.AddrFromSlice(to)
	return Seen{
		From:  netip.AddrPortFrom(source, binary.BigEndian.Uint16(tcp[0:])),
		To:    netip.AddrPortFrom(destination, binary.BigEndian.Uint16(tcp[2:])),
		Flags: Flags(tcp[13]),
	}, true
}

func hostToNet(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
