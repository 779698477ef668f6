package host_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"golang.org/x/sys/unix"
)

// onThread runs f on a thread of its own, which dies with it.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}

func namespace(t *testing.T) string {
	t.Helper()
	id, err := host.Proc.Namespace()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestNamespacesAreToldApart(t *testing.T) {
	nettest.Need(t)
	here := namespace(t)
	if again := namespace(t); again != here {
		t.Errorf("Namespace() = %q, then %q", here, again)
	}
	first, second := nettest.New(t), nettest.New(t)
	var inFirst, inSecond string
	first.Do(t, func() { inFirst = namespace(t) })
	second.Do(t, func() { inSecond = namespace(t) })
	if inFirst == here || inSecond == here || inFirst == inSecond {
		t.Errorf("three namespaces are called %q, %q and %q", here, inFirst, inSecond)
	}
}

func TestAnotherBootIsAnotherNamespace(t *testing.T) {
	files := map[string]string{"sys/kernel/random/boot_id": "one\n", "thread-self/ns/net": ""}
	root := procCopy(t, files)
	before, err := root.Namespace()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(string(root), "sys/kernel/random/boot_id"), []byte("two\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	after, err := root.Namespace()
	if err != nil || after == before || !strings.HasPrefix(after, "boot two net ") {
		t.Errorf("Namespace() = %q, %v after a reboot, %q before", after, err, before)
	}
}

func TestInitialNamespace(t *testing.T) {
	inside := procCopy(t, map[string]string{"sys/net/core/netdev_max_backlog": "1000\n"})
	if !inside.IsInitialNetNS() {
		t.Error("a host with netdev_max_backlog is not taken for the initial namespace")
	}
	nettest.Need(t)
	nettest.New(t).Do(t, func() {
		if host.Proc.IsInitialNetNS() {
			t.Error("a new namespace is taken for the initial one")
		}
	})
}

func TestEnterNetNSByNameAndByPath(t *testing.T) {
	nettest.Need(t)
	ns := nettest.New(t)
	var want string
	ns.Do(t, func() { want = namespace(t) })
	here := namespace(t)
	for _, name := range []string{ns.Name(), ns.Path()} {
		onThread(func() {
			if err := host.EnterNetNS(name); err != nil {
				t.Error(err)
				return
			}
			if got, err := host.Proc.Namespace(); got != want || err != nil {
				t.Errorf("after EnterNetNS(%s): Namespace() = %q, %v, want %q", name, got, err, want)
			}
		})
	}
	if again := namespace(t); again != here {
		t.Errorf("another goroutine moved from %q to %q", here, again)
	}
}

func TestEnterNetNSRefusals(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		is         error
	}{
		{"", "the name is empty", nil},
		{"no-such-namespace", "open /run/netns/no-such-namespace", fs.ErrNotExist},
		{"/no/such/file", "enter network namespace /no/such/file", fs.ErrNotExist},
		{plain, "is not a network namespace", host.ErrNotNetNS},
		{dir, "is not a network namespace", host.ErrNotNetNS},
		{fifo, "is not a network namespace", host.ErrNotNetNS},
		{"/dev/null", "is not a network namespace", host.ErrNotNetNS},
		{"/proc/self/ns/mnt", "is not a network namespace", host.ErrNotNetNS},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := host.EnterNetNS(test.name)
			if err == nil || !strings.Contains(err.Error(), test.text) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("EnterNetNS = %v, want %q (%v)", err, test.text, test.is)
			}
		})
	}
}

func TestEnterNetNSNeedsPermission(t *testing.T) {
	onThread(func() {
		// The thread gives up its own capabilities and then dies, so no other test misses them.
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		if err := host.EnterNetNS("/proc/thread-self/ns/net"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("EnterNetNS without CAP_SYS_ADMIN = %v, want a refusal", err)
		}
	})
}
