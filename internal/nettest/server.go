package nettest

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Server accepts connections and holds them: it reads what comes and echoes it, and closes a connection only when the
// client does, or when the test ends.
type Server struct {
	Addr     netip.AddrPort
	listener net.Listener
	accepted atomic.Int64

	mu   sync.Mutex
	held map[net.Conn]struct{}
}

// Listen starts a Server in the namespace. An unspecified IPv6 address listens for both families; addr may also be
// one of a prefix made local by AddLocal.
func Listen(t T, ns *NS, addr netip.AddrPort) *Server {
	t.Helper()
	s := &Server{held: make(map[net.Conn]struct{})}
	ns.Do(t, func() {
		config := net.ListenConfig{Control: control(freebind)}
		var err error
		if s.listener, err = config.Listen(context.Background(), "tcp", addr.String()); err != nil {
			t.Fatalf("listen in %s: %v", ns.name, err)
		}
	})
	s.Addr = s.listener.Addr().(*net.TCPAddr).AddrPort()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.accept()
	}()
	t.Cleanup(func() {
		s.listener.Close()
		<-done
		s.closeAll()
	})
	return s
}

// Port makes a port's address for Listen: both families, every local address.
func Port(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.IPv6Unspecified(), port) }

// Accepted is how many connections the server has accepted so far.
func (s *Server) Accepted() int { return int(s.accepted.Load()) }

// Held is how many connections are open on the server's side.
func (s *Server) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

// AwaitHeld fails the test unless the server soon holds exactly n connections.
func (s *Server) AwaitHeld(t T, n int) {
	t.Helper()
	if !poll(5*time.Second, func() bool { return s.Held() == n }) {
		t.Fatalf("server holds %d connections, want %d", s.Held(), n)
	}
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.held[conn] = struct{}{}
		s.mu.Unlock()
		s.accepted.Add(1)
		go s.echo(conn)
	}
}

func (s *Server) echo(conn net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		if err == nil {
			_, err = conn.Write(buffer[:n])
		}
		if err != nil {
			break
		}
	}
	conn.Close()
	s.mu.Lock()
	delete(s.held, conn)
	s.mu.Unlock()
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.held {
		conn.Close()
	}
}

// freebind lets a socket use an address that no interface has. IPv6 needs it even for addresses of a local route.
func freebind(fd int, v6 bool) error {
	if v6 {
		return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
}
