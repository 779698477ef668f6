package nettest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// runDir is where ip(8) looks for named network namespaces.
const runDir = "/run/netns"

// prefix starts the name of every namespace made here; the maker's process id follows.
const prefix = "tcpguard-test-"

// NS is a network namespace that lives until its test ends.
type NS struct {
	name string
	file *os.File
}

// New makes a network namespace with loopback up and IPv6 duplicate address detection off. It has a name under
// /run/netns, so `ip netns exec` and --netns find it.
func New(t T) *NS {
	t.Helper()
	sweep()
	mountpoint, err := os.CreateTemp(runDir, fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		t.Fatalf("make a name for a network namespace: %v", err)
	}
	mountpoint.Close()
	path := mountpoint.Name()
	t.Cleanup(func() { remove(path) })
	if err := create(path); err != nil {
		t.Fatalf("make network namespace %s: %v", path, err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatalf("open network namespace: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	ns := &NS{name: filepath.Base(path), file: file}
	ns.prepare(t)
	return ns
}

// create unshares a thread's network namespace and pins it to path. The goroutine ends with its thread locked, so the
// runtime destroys the thread and nobody else ever runs in the new namespace.
func create(path string) error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- fmt.Errorf("unshare: %w", err)
			return
		}
		if err := unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, ""); err != nil {
			failed <- fmt.Errorf("bind mount: %w", err)
			return
		}
		failed <- nil
	}()
	return <-failed
}

func remove(path string) {
	// Detached, because a reader elsewhere may still have the mount open.
	_ = unix.Unmount(path, unix.MNT_DETACH)
	_ = os.Remove(path)
}

// sweep removes the names that killed test processes left behind.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(runDir, prefix+"*"))
	for _, path := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), prefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && unix.Kill(n, 0) == unix.ESRCH {
			remove(path)
		}
	}
}

// prepare brings loopback up and makes the defaults that later interfaces inherit fit for tests.
func (ns *NS) prepare(t T) {
	t.Helper()
	ns.Do(t, func() {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Fatalf("bring up loopback: %v", err)
		}
	})
	for _, key := range []string{"all", "default"} {
		ns.SetSysctl(t, "net/ipv4/conf/"+key+"/rp_filter", "0")
		ns.SetSysctl(t, "net/ipv6/conf/"+key+"/accept_dad", "0")
		ns.SetSysctl(t, "net/ipv6/conf/"+key+"/accept_ra", "0")
		ns.SetSysctl(t, "net/ipv6/conf/"+key+"/router_solicitations", "0")
	}
}

// Name is the namespace's name, as `ip netns` knows it.
func (ns *NS) Name() string { return ns.name }

// Path is the file that stands for the namespace.
func (ns *NS) Path() string { return filepath.Join(runDir, ns.name) }

// Do runs f in the namespace, on the caller's goroutine, so that f may end the test. Sockets, netlink requests and
// /proc/sys/net belong to the namespace as long as they are opened by f itself: goroutines that f starts run in
// whatever namespace their thread has. Calls may be nested.
func (ns *NS) Do(t T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	before, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatalf("remember the network namespace: %v", err)
	}
	defer before.Close()
	if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatalf("enter network namespace %s: %v", ns.name, err)
	}
	defer func() {
		// A thread that cannot go back stays locked, so that it dies with this goroutine.
		if unix.Setns(int(before.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	f()
}

// Command prepares a program; started from inside Do it runs in the namespace.
type Command struct {
	Stdin string
	Argv  []string
}

// Exec runs a program in the namespace and gives its standard output. An error carries what the program said.
func (ns *NS) Exec(t T, argv ...string) (string, error) {
	t.Helper()
	return ns.Run(t, Command{Argv: argv})
}

// Run is Exec with standard input.
func (ns *NS) Run(t T, c Command) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Stdin = strings.NewReader(c.Stdin)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var err error
	// The child inherits the namespace of the thread that forks it, which is this one.
	ns.Do(t, func() { err = cmd.Start() })
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s", strings.Join(c.Argv, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// Sysctl reads a kernel setting of the namespace; the key is a path below /proc/sys.
func (ns *NS) Sysctl(t T, key string) string {
	t.Helper()
	var value []byte
	var err error
	ns.Do(t, func() { value, err = os.ReadFile(filepath.Join("/proc/sys", key)) })
	if err != nil {
		t.Fatalf("read sysctl: %v", err)
	}
	return strings.TrimSpace(string(value))
}

// SetSysctl writes a kernel setting of the namespace. Only keys below net are accepted, because most others belong to
// the whole machine.
func (ns *NS) SetSysctl(t T, key, value string) {
	t.Helper()
	if !strings.HasPrefix(key, "net/") {
		t.Fatalf("refused to write sysctl %s: it does not belong to a network namespace", key)
	}
	var err error
	ns.Do(t, func() { err = os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0) })
	if err != nil {
		t.Fatalf("write sysctl: %v", err)
	}
}
