package nettest

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Visit connects as an ordinary client does, with the kernel's SYN retransmissions, and gives up after the timeout. It
// reports errors instead of failing the test. A zero laddr leaves the address to the kernel.
func Visit(t T, ns *NS, laddr netip.Addr, raddr netip.AddrPort, timeout time.Duration) (conn net.Conn, err error) {
	t.Helper()
	dialer := net.Dialer{Timeout: timeout, Control: control(freebind), KeepAlive: -1}
	if laddr.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(laddr, 0))
	}
	ns.Do(t, func() { conn, err = dialer.Dial("tcp", raddr.String()) })
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// Retransmissions is how many segments of a connection its sender has sent again so far, SYNs included
// (tcpi_total_retrans).
func Retransmissions(t T, conn net.Conn) int {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatalf("reach a connection's socket: %v", err)
	}
	var info *unix.TCPInfo
	var failed error
	if err := raw.Control(func(fd uintptr) { info, failed = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) }); err != nil {
		t.Fatalf("reach a connection's socket: %v", err)
	}
	if failed != nil {
		t.Fatalf("read TCP_INFO: %v", failed)
	}
	return int(info.Total_retrans)
}
