package status

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machine is a /proc with what the kernel would show.
func machine(t *testing.T, files map[string]string) procFiles {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return procFiles{root}
}

func TestConntrack(t *testing.T) {
	c, err := machine(t, map[string]string{
		"sys/net/netfilter/nf_conntrack_count": "1000\n",
		"sys/net/netfilter/nf_conntrack_max":   "4000\n",
		"thread-self/net/stat/nf_conntrack":    "entries  drop early_drop\n000003e8  0000000a 00000001\n000003e8  00000006 00000002\n",
	}).conntrack()
	if err != nil {
		t.Fatal(err)
	}
	if want := (Conntrack{true, Fill{1000, 4000}, 16, 3}); c != want || c.Percent() != 25 {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestConntrackThatIsNotInUse(t *testing.T) {
	c, err := machine(t, nil).conntrack()
	if err != nil || c.Tracking || c.Known() {
		t.Errorf("got %+v (%v), want no conntrack and no error", c, err)
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"nf_conntrack_count":     {"sys/net/netfilter/nf_conntrack_count": "many\n"},
		"nf_conntrack_max":       {"sys/net/netfilter/nf_conntrack_count": "1\n"},
		"net/stat/nf_conntrack:": {"sys/net/netfilter/nf_conntrack_count": "1\n", "sys/net/netfilter/nf_conntrack_max": "2\n", "thread-self/net/stat/nf_conntrack": "drop\nxyz\n"},
	} {
		if _, err := machine(t, files).conntrack(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error is %v, want one that names %s", err, name)
		}
	}
}

func TestTCPCounters(t *testing.T) {
	got, err := machine(t, map[string]string{
		"thread-self/net/netstat": "TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed ListenOverflows ListenDrops TCPReqQFullDoCookies TCPReqQFullDrop\n" +
			"TcpExt: 1 2 3 4 5 6 7\nIpExt: InNoRoutes ListenDrops\nIpExt: 8 9\n",
		"thread-self/net/stat/synproxy": "entries\tsyn_received\tcookie_invalid\tcookie_valid\n00000000\t0000000b\t00000001\t0000000a\n",
		"thread-self/net/sockstat":      "sockets: used 18\nTCP: inuse 1 orphan 142 tw 21 alloc 144 mem 433\nUDP: inuse 0 mem 0\n",
	}).tcp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Queues{AcceptOverflows: 4, ListenDrops: 5, SYNCookied: 6, SYNDropped: 7}); got.Queues != want {
		t.Errorf("queues are %+v, want %+v", got.Queues, want)
	}
	if want := (Cookies{1, 2, 3}); got.Cookies != want {
		t.Errorf("cookies are %+v, want %+v", got.Cookies, want)
	}
	if want := (Cookies{11, 10, 1}); got.Challenges != want {
		t.Errorf("challenges are %+v, want %+v", got.Challenges, want)
	}
	if got.States.TimeWait != 21 {
		t.Errorf("%d connections in TIME_WAIT, want 21", got.States.TimeWait)
	}
}

func TestWhatCannotBeReadIsSaidBesideTheRest(t *testing.T) {
	got, err := machine(t, map[string]string{"thread-self/net/netstat": "TcpExt: SyncookiesSent\nTcpExt: 5\n"}).tcp(t.Context())
	if err == nil || !strings.Contains(err.Error(), "sockstat") || got.Cookies.Sent != 5 {
		t.Errorf("got %+v (%v), want the cookies and an error about sockstat", got, err)
	}
}

func TestCountingStopsAtItsBounds(t *testing.T) {
	// A socket of each family that listens, so that there is something to count.
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Listen(fd, 1); err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now().Add(time.Minute)
	if counts, err := sockets(t.Context(), 1<<30, later); err != nil || counts[10] < 2 {
		t.Errorf("counted %v (%v), want at least two listeners", counts, err)
	}
	if _, err := sockets(t.Context(), 1, later); !errors.Is(err, errTooMany) {
		t.Errorf("error is %v after one socket, want errTooMany", err)
	}
	if _, err := sockets(t.Context(), 1<<30, time.Now().Add(-time.Second)); !errors.Is(err, errTooMany) {
		t.Errorf("error is %v when the time is up, want errTooMany", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sockets(gone, 1<<30, later); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v when cancelled", err)
	}
}

func TestSocketAnswersThatAreCutShort(t *testing.T) {
	var counts [numStates]int
	request := diagRequest(unix.AF_INET)
	if _, err := countStates(request[:len(request)-1], &counts); err == nil {
		t.Error("a message that is longer than its datagram is taken")
	}
}
