package traffic

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ServerModel says what the server under attack can bear. An ideal server would hide what hoarding and churning do to a
// real one, whose workers, memory or handshakes run out long before its kernel does.
type ServerModel struct {
	Places  int // connections served at one time; the next ones wait in the accept queue
	PerSec  int // connections set up in a second: the CPU time of a TLS handshake, without spending it
	Backlog int // asked of listen(2); the kernel clamps it to net.core.somaxconn
}

// DefaultModel is a middling web server: 512 workers, a thousand handshakes a second.
func DefaultModel() ServerModel { return ServerModel{Places: 512, PerSec: 1000, Backlog: 4096} }

// Server answers short requests on several ports and holds connections as long as the client does.
type Server struct {
	model     ServerModel
	listeners []net.Listener
	places    chan struct{}
	ended     sync.WaitGroup

	watched netip.Prefix

	mu    sync.Mutex
	taken int       // connections of the watched that are held
	peak  int       // the most of them at any time
	next  time.Time // when the next connection can be set up
	conns map[net.Conn]struct{}
	done  bool
}

// Serve listens on the ports for both families, at every address of the namespace. Connections of the watched sources are
// counted: what an attacker takes for established may be a challenge's doing, of which the server never hears.
func Serve(s Space, ports []uint16, model ServerModel, watched netip.Prefix) (*Server, error) {
	server := &Server{model: model, watched: watched, places: make(chan struct{}, model.Places), conns: make(map[net.Conn]struct{})}
	for _, port := range ports {
		l, err := listen(s, port, model.Backlog)
		if err != nil {
			server.Close()
			return nil, err
		}
		server.listeners = append(server.listeners, l)
		server.ended.Add(1)
		go server.accept(l)
	}
	return server, nil
}

func listen(s Space, port uint16, backlog int) (l net.Listener, err error) {
	err = s.Do(func() (err error) {
		l, err = net.Listen("tcp", fmt.Sprintf("[::]:%d", port))
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		raw, err := l.(syscall.Conn).SyscallConn()
		if err != nil {
			return err
		}
		// Listening again changes the backlog, which Go takes from somaxconn as it was when the process started.
		var failed error
		err = raw.Control(func(fd uintptr) { failed = unix.Listen(int(fd), backlog) })
		return errors.Join(failed, err)
	})
	return l, err
}

// Close closes the listeners and every connection.
func (s *Server) Close() {
	s.mu.Lock()
	s.done = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	for _, l := range s.listeners {
		l.Close()
	}
	s.ended.Wait()
}

// accept takes a connection only when there is a place for it and time to set it up: until then it waits where a real
// server's would, in the kernel's accept queue.
func (s *Server) accept(l net.Listener) {
	defer s.ended.Done()
	for {
		s.places <- struct{}{}
		c, err := l.Accept()
		if err != nil || !s.enter(c) {
			<-s.places
			return
		}
		time.Sleep(s.setup(time.Now()))
		s.ended.Add(1)
		go s.serve(c)
	}
}

// setup gives how long to wait until a connection that came now is set up.
func (s *Server) setup(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	// What was not used is lost, but for the slack that a sleeping thread needs.
	if slack := now.Add(-5 * time.Millisecond); s.next.Before(slack) {
		s.next = slack
	}
	s.next = s.next.Add(time.Second / time.Duration(s.model.PerSec))
	return s.next.Sub(now)
}

func (s *Server) enter(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		c.Close()
		return false
	}
	s.conns[c] = struct{}{}
	if s.isWatched(c) {
		s.taken++
		s.peak = max(s.peak, s.taken)
	}
	return true
}

// leave gives a place back.
func (s *Server) leave(c net.Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if s.isWatched(c) {
		s.taken--
	}
	s.mu.Unlock()
	c.Close()
	<-s.places
}

func (s *Server) isWatched(c net.Conn) bool {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	return ok && s.watched.Contains(a.AddrPort().Addr().Unmap())
}

// Taken is the most connections that watched sources held at any time.
func (s *Server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak
}

func (s *Server) serve(c net.Conn) {
	defer s.ended.Done()
	var request [requestLen]byte
	var answer [answerLen]byte
	for got := 0; ; {
		n, err := c.Read(request[got:])
		if got += n; got == requestLen && err == nil {
			got = 0
			_, err = c.Write(answer[:])
		}
		if err != nil {
			break
		}
	}
	s.leave(c)
}
