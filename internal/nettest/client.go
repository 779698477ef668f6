package nettest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Outcome is what became of an attempt to connect.
type Outcome string

// The outcomes of Dial.
const (
	Connected   Outcome = "connected"
	Reset       Outcome = "reset"       // a RST came back
	TimedOut    Outcome = "timed out"   // nothing came back: the SYN was dropped
	Unreachable Outcome = "unreachable" // an ICMP error came back, or there is no route: mostly a mistake in the test
)

// SYNTimeout is how long Dial waits for tests that have no reason to wait otherwise. It is below the kernel's first
// retransmission timeout (TCP_TIMEOUT_INIT, 1 s), so an attempt is exactly one SYN and a rate can be tested to the
// packet; and far above what an answer takes between two namespaces of one machine.
const SYNTimeout = 300 * time.Millisecond

// Dial connects from the namespace and says what became of it; the connection is nil unless Connected. An attempt is
// exactly one SYN: timeouts of 1 s and more are refused, because the kernel would retransmit. A zero laddr leaves the
// address to the kernel, a zero port the port.
func Dial(t T, ns *NS, laddr netip.Addr, raddr netip.AddrPort, timeout time.Duration) (net.Conn, Outcome) {
	t.Helper()
	if timeout >= time.Second {
		t.Fatalf("dial with timeout %v: from 1s on the kernel sends a second SYN", timeout)
	}
	conn, err := dial(t, ns, laddr, raddr, timeout)
	switch {
	case err == nil:
		return conn, Connected
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return nil, Reset
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), isTimeout(err):
		return nil, TimedOut
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return nil, Unreachable
	}
	t.Fatalf("dial %v: %v", raddr, err)
	return nil, ""
}

// dial gives up after one SYN even if the machine was too busy to look at the timeout in time: TCP_SYNCNT bounds what
// the kernel sends to one retransmission, and closing the socket at the timeout takes that one away too.
func dial(t T, ns *NS, laddr netip.Addr, raddr netip.AddrPort, timeout time.Duration) (conn net.Conn, err error) {
	t.Helper()
	dialer := net.Dialer{Timeout: timeout, Control: control(freebind, oneSYN), KeepAlive: -1}
	if laddr.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(laddr, 0))
	}
	ns.Do(t, func() { conn, err = dialer.Dial("tcp", raddr.String()) })
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func oneSYN(fd int, _ bool) error {
	return unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_SYNCNT, 1)
}

// control makes a net Control function of socket options.
func control(options ...func(fd int, v6 bool) error) func(string, string, syscall.RawConn) error {
	return func(network, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			for _, option := range options {
				failed = errors.Join(failed, option(int(fd), strings.HasSuffix(network, "6")))
			}
		})
		return errors.Join(err, failed)
	}
}

// Hold opens n connections from one source and keeps them. The test fails unless every one is made.
func Hold(t T, ns *NS, laddr netip.Addr, raddr netip.AddrPort, n int) []net.Conn {
	t.Helper()
	held := make([]net.Conn, n)
	for i := range held {
		conn, outcome := Dial(t, ns, laddr, raddr, SYNTimeout)
		if outcome != Connected {
			t.Fatalf("connection %d of %d from %v to %v: %s", i+1, n, laddr, raddr, outcome)
		}
		held[i] = conn
	}
	return held
}

// Echo sends a message over a connection to a Server and reads it back, which shows that the connection lives in both
// directions.
func Echo(conn net.Conn, timeout time.Duration) error {
	const message = "does it live?"
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	if _, err := conn.Write([]byte(message)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	answer := make([]byte, len(message))
	for got := 0; got < len(answer); {
		n, err := conn.Read(answer[got:])
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		got += n
	}
	if string(answer) != message {
		return fmt.Errorf("read %q, want %q", answer, message)
	}
	return nil
}
