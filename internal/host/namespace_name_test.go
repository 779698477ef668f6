package host

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

func TestNamespaceNameTellsANamespaceBesideTheHostsOwn(t *testing.T) {
	if got := Proc.NamespaceName(); got != "" {
		t.Errorf("where the test runs: %q, want none", got)
	}
	nettest.Need(t)
	ns := nettest.New(t)
	var named string
	ns.Do(t, func() { named = Proc.NamespaceName() })
	if named != ns.Name() {
		t.Errorf("named namespace: %q, want %q", named, ns.Name())
	}
	// The goroutine's thread stays locked, so it ends with the goroutine and takes the namespace with it.
	result := make(chan string)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- err.Error()
			return
		}
		result <- Proc.NamespaceName()
	}()
	nameless := <-result
	if _, err := os.Stat("/proc/1/ns/net"); err != nil {
		// A sandbox may hide process 1; then a nameless namespace cannot be told from a container's own.
		if nameless != "" {
			t.Errorf("namespace that cannot be told apart: %q", nameless)
		}
	} else if !strings.HasPrefix(nameless, "inode-") {
		t.Errorf("namespace without a name: %q", nameless)
	}
}
