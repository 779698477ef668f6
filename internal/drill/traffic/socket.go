package traffic

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Outcome is what became of a connection or a request.
type Outcome string

// The outcomes.
const (
	Served  Outcome = "served"
	Refused Outcome = "refused" // a RST came back
	Lost    Outcome = "lost"    // nothing came back in time
)

// conn is a TCP connection made from a chosen address of a namespace. The Go runtime polls it, so a connection that
// waits costs no thread.
type conn struct{ *os.File }

// request and answer are what a short HTTP exchange looks like to the network: one small segment each way.
const (
	requestLen = 64
	answerLen  = 512
)

// dial connects from an address. The deadline holds for everything done with the connection, until it is set anew.
func dial(s Space, from netip.Addr, to netip.AddrPort, deadline time.Time) (*conn, error) {
	fd := -1
	err := s.Do(func() (err error) {
		if fd, err = openSocket(from); err != nil {
			return err
		}
		err = unix.Connect(fd, sockaddr(to))
		if errors.Is(err, unix.EINPROGRESS) {
			err = nil
		}
		return os.NewSyscallError("connect", err)
	})
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, err
	}
	// The descriptor does not block, so NewFile hands it to the runtime's poller.
	c := &conn{os.NewFile(uintptr(fd), "tcp")}
	if err := c.established(deadline); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func openSocket(from netip.Addr) (int, error) {
	family := unix.AF_INET
	if from.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	// The port is chosen at connect: then a source has as many connections as there are ports for each destination.
	for _, o := range []struct{ level, name int }{{unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT}, {unix.SOL_IP, unix.IP_FREEBIND}, {unix.SOL_TCP, unix.TCP_NODELAY}} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, 1); err != nil {
			unix.Close(fd)
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0))); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// established waits for the handshake.
func (c *conn) established(deadline time.Time) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if err := c.SetDeadline(deadline); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			failed = os.NewSyscallError("getsockopt", err)
		case code != 0:
			failed = os.NewSyscallError("connect", unix.Errno(code))
		default:
			// Without an error it is connected, or not yet: then it has no peer.
			if _, err := unix.Getpeername(int(fd)); errors.Is(err, unix.ENOTCONN) {
				return false
			}
		}
		return true
	})
	return errors.Join(failed, err)
}

// exchange sends a request and reads the whole answer.
func (c *conn) exchange(deadline time.Time) error {
	if err := c.SetDeadline(deadline); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	var buffer [answerLen]byte
	if _, err := c.Write(buffer[:requestLen]); err != nil {
		return err
	}
	for got := 0; got < answerLen; {
		n, err := c.Read(buffer[got:])
		if err != nil {
			return err
		}
		got += n
	}
	return nil
}

// abort makes Close send a RST and keep no TIME_WAIT, as an attacker's tool does, which wants its ports back.
func (c *conn) abort() {
	raw, err := c.SyscallConn()
	if err == nil {
		// A socket that cannot be told so closes the ordinary way.
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		})
	}
	c.Close()
}

// outcome sorts an error by what came back from the network.
func outcome(err error) Outcome {
	switch {
	case err == nil:
		return Served
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return Refused
	}
	return Lost
}

// pause waits; it says false when the context was done before.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
