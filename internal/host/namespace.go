package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaceDir is where `ip netns` keeps the namespaces that have a name.
const namespaceDir = "/run/netns"

// ErrNotNetNS says that a file is there and is no network namespace.
var ErrNotNetNS = errors.New("not a network namespace")

// EnterNetNS moves the calling goroutine into a network namespace for good: it locks the goroutine to its thread,
// because the kernel keeps the namespace of each thread apart, and never unlocks it. A name without a slash is one
// that `ip netns add` made, anything else a path such as /proc/1234/ns/net.
//
// The error is fs.ErrNotExist when there is no such namespace, ErrNotNetNS when the file is something else, and
// fs.ErrPermission without CAP_SYS_ADMIN; then the goroutine is where it was, and not locked.
func EnterNetNS(nameOrPath string) error {
	path := nameOrPath
	if nameOrPath == "" {
		return errors.New("enter network namespace: the name is empty")
	}
	if !strings.Contains(nameOrPath, "/") {
		path = filepath.Join(namespaceDir, nameOrPath)
	}
	// Opening must not block on a FIFO nor do anything to a device that somebody named by mistake.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("enter network namespace %s: open %s: %w", nameOrPath, path, err)
	}
	defer unix.Close(fd)
	if !isNetNS(fd) {
		return fmt.Errorf("enter network namespace %s: %s is %w", nameOrPath, path, ErrNotNetNS)
	}
	runtime.LockOSThread()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace %s: %w", nameOrPath, err)
	}
	return nil
}

// isNetNS asks the kernel (fs/nsfs.c) what kind of namespace a file is. The file system is looked at first, because
// the same request number means something else to a device.
func isNetNS(fd int) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Type != unix.NSFS_MAGIC {
		return false
	}
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	return err == nil && kind == unix.CLONE_NEWNET
}

// Namespace identifies the thread's network namespace among all that ever were: the boot, the device and inode of
// the namespace's file, and its cookie. Inodes are given out again when a namespace dies, cookies are not (5.14 and
// later; 0 before). A reboot or another namespace gives another text, and state kept under the old one is void.
func (r Root) Namespace() (string, error) {
	boot, err := r.read("sys", "kernel", "random", "boot_id")
	if err != nil {
		return "", fmt.Errorf("identify this boot: %w", err)
	}
	var st unix.Stat_t
	// thread-self and not self: the main thread may be in another namespace.
	file := r.path("thread-self", "ns", "net")
	if err := unix.Stat(file, &st); err != nil {
		return "", fmt.Errorf("identify network namespace: %w", &os.PathError{Op: "stat", Path: file, Err: err})
	}
	cookie, err := netnsCookie()
	if err != nil {
		return "", fmt.Errorf("identify network namespace: %w", err)
	}
	return fmt.Sprintf("boot %s net %d:%d cookie %d", boot, st.Dev, st.Ino, cookie), nil
}

// netnsCookie reads the namespace's cookie from a socket made in it; 0 on a kernel that has none.
func netnsCookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if errors.Is(err, unix.ENOPROTOOPT) {
		return 0, nil
	}
	return cookie, os.NewSyscallError("getsockopt SO_NETNS_COOKIE", err)
}

// IsInitialNetNS says whether the thread is in the network namespace the machine booted with. The sign is
// net.core.netdev_max_backlog, which the kernel shows nowhere else (net/core/sysctl_net_core.c, netns_core_table
// against net_core_table): it holds in containers too, where comparing with process 1 does not.
func (r Root) IsInitialNetNS() bool {
	_, err := os.Stat(r.path("sys", "net", "core", "netdev_max_backlog"))
	return err == nil
}
