package host_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"golang.org/x/sys/unix"
)

// listen makes a listening socket with a backlog of its own, which package net does not offer.
func listen(t *testing.T, addr netip.AddrPort, backlog int) (inode uint32, port uint16) {
	t.Helper()
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(addr.Port())})
	if addr.Addr().Is4() {
		sa.(*unix.SockaddrInet4).Addr = addr.Addr().As4()
	} else {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, sa), unix.Listen(fd, backlog)); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	bound, err := unix.Getsockname(fd)
	if err := errors.Join(err, unix.Fstat(fd, &st)); err != nil {
		t.Fatal(err)
	}
	switch bound := bound.(type) {
	case *unix.SockaddrInet4:
		port = uint16(bound.Port)
	case *unix.SockaddrInet6:
		port = uint16(bound.Port)
	}
	return uint32(st.Ino), port
}

// find gives the listener with a socket's inode.
func find(t *testing.T, root host.Root, inode uint32) host.Listener {
	t.Helper()
	all, err := root.Listeners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.Inode == inode {
			return l
		}
	}
	t.Fatalf("socket %d is not among %+v", inode, all)
	return host.Listener{}
}

// self is this process as others see it.
func self(t *testing.T) host.Process {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return host.Process{PID: os.Getpid(), Command: strings.TrimSpace(string(comm))}
}

func TestAListenerIsSeenWithItsQueueAndProcess(t *testing.T) {
	inode, port := listen(t, netip.MustParseAddrPort("127.0.0.1:0"), 7)
	l := find(t, host.Proc, inode)
	if l.Address != netip.MustParseAddr("127.0.0.1") || l.Port != port || l.Backlog != 7 || l.Queued != 0 ||
		l.UID != uint32(os.Getuid()) || l.Process != self(t) {
		t.Errorf("listener %+v, want 127.0.0.1:%d with a backlog of 7 in %+v", l, port, self(t))
	}
	for range 3 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	nettest.Await(t, 5*time.Second, "three connections in the accept queue", func() bool {
		return find(t, host.Proc, inode).Queued == 3
	})
}

func TestOnlyListenersOfTheNamespaceAreSeen(t *testing.T) {
	nettest.Need(t)
	outside, _ := listen(t, netip.MustParseAddrPort("127.0.0.1:0"), 1)
	nettest.New(t).Do(t, func() {
		if all, err := host.Proc.Listeners(t.Context()); err != nil || len(all) != 0 {
			t.Fatalf("Listeners() = %+v, %v in an empty namespace", all, err)
		}
		listen(t, netip.MustParseAddrPort("[::]:443"), 5000)
		listen(t, netip.MustParseAddrPort("127.0.0.1:22"), 128)
		listen(t, netip.MustParseAddrPort("[::1]:22"), 64)
		conn, err := net.Dial("tcp4", "127.0.0.1:443")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() // an established socket must not be listed
		all, err := host.Proc.Listeners(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range all {
			got = append(got, fmt.Sprintf("%s:%d backlog %d queued %d", l.Address, l.Port, l.Backlog, l.Queued))
			if l.Inode == outside || l.Process != self(t) {
				t.Errorf("listener %+v", l)
			}
		}
		// A new namespace has somaxconn 4096, which bounds the backlog of the first.
		want := []string{"127.0.0.1:22 backlog 128 queued 0", "::1:22 backlog 64 queued 0", ":::443 backlog 4096 queued 1"}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("Listeners() = %q, want %q", got, want)
		}
	})
}

// fakeProcess writes a process that holds a socket into a copy of proc.
func fakeProcess(t *testing.T, root host.Root, pid int, comm string, inode uint32) {
	t.Helper()
	fds := filepath.Join(string(root), strconv.Itoa(pid), "fd")
	if err := os.MkdirAll(fds, 0o755); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(fds, "..", "comm"), []byte(comm+"\n"), 0o644),
		os.Symlink("/dev/null", filepath.Join(fds, "0")),
		os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(fds, "3")))
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheParentOfASharedSocketIsNamed(t *testing.T) {
	inode, _ := listen(t, netip.MustParseAddrPort("127.0.0.1:0"), 1)
	root := procCopy(t, map[string]string{"meminfo": meminfo})
	if l := find(t, root, inode); l.Process != (host.Process{}) {
		t.Errorf("the process is %+v although none is to be seen", l.Process)
	}
	fakeProcess(t, root, 1000, "worker", inode)
	fakeProcess(t, root, 200, "master", inode)
	fakeProcess(t, root, 30, "other", inode+1)
	if l := find(t, root, inode); l.Process != (host.Process{PID: 200, Command: "master"}) {
		t.Errorf("the process is %+v, want the one with the lowest number", l.Process)
	}
}

func TestACommandCannotSteerATerminal(t *testing.T) {
	inode, _ := listen(t, netip.MustParseAddrPort("127.0.0.1:0"), 1)
	root := procCopy(t, nil)
	fakeProcess(t, root, 7, "a\x1b[2J\nb\xff\u202eé", inode)
	if got, want := find(t, root, inode).Process.Command, "a?[2J?b??é"; got != want {
		t.Errorf("command %q, want %q", got, want)
	}
}

func TestListenersStopWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if all, err := host.Proc.Listeners(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Listeners() = %d, %v, want %v", len(all), err, context.Canceled)
	}
}
