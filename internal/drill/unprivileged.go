package drill

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/reconcile"
)

// childVariable marks the process that runs in a user namespace of its own, so that it does not make another one.
const childVariable = "TCPGUARD_INTERNAL_DRILL"

// NeedsUserNamespace says whether this process lacks what it takes to make network namespaces, and has not tried yet to
// get it by a user namespace.
func NeedsUserNamespace() (bool, error) {
	have, err := host.Proc.Capabilities()
	if err != nil {
		return false, err
	}
	capable := have.Has(unix.CAP_SYS_ADMIN) && have.Has(unix.CAP_NET_ADMIN) && have.Has(unix.CAP_NET_RAW)
	return !capable && os.Getenv(childVariable) == "", nil
}

// InUserNamespace runs this program again with the same arguments, as root of a user namespace that holds nothing but
// this user, and gives its exit code. The child dies with this process, however that ends.
//
// Errors: *reconcile.ErrPermission where user namespaces are not allowed.
func InUserNamespace() (exitCode int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("run again in a user namespace: %w", err)
	}
	// The kernel sends the death signal when the thread that started the child ends, so it must not end before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child, err := os.StartProcess(program, os.Args, &os.ProcAttr{
		Env:   append(os.Environ(), childVariable+"=1"),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
			Pdeathsig:   syscall.SIGKILL,
		},
	})
	if err != nil {
		return 0, permission(fmt.Errorf("run again in a user namespace: %w", err))
	}
	return await(child)
}

// await passes signals on, and waits. A terminal's interrupt reaches the child without our help; a second one ends the
// child at once, as it would end this process.
func await(child *os.Process) (int, error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case s := <-signals:
				// It may have ended meanwhile.
				_ = child.Signal(s)
			case <-done:
				return
			}
		}
	}()
	state, err := child.Wait()
	if err != nil {
		return 0, fmt.Errorf("wait for the drill: %w", err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 0, fmt.Errorf("the drill was ended by signal %v", status.Signal())
	}
	return state.ExitCode(), nil
}

// refusals says what stands behind the kernel's refusal to make a namespace; see clone(2), unshare(2) and
// user_namespaces(7).
var refusals = [...]struct {
	errno  unix.Errno
	reason string
}{
	{unix.EPERM, "the kernel or a sandbox forbids it"},
	{unix.EACCES, "the kernel or a sandbox forbids it"},
	{unix.ENOSPC, "user.max_user_namespaces or user.max_net_namespaces allows no more"},
	{unix.EUSERS, "namespaces are nested too deep"},
	{unix.ENOSYS, "a sandbox hides it"},
}

// permission makes such a refusal an error that names what is missing. Other errors stay as they are.
func permission(err error) error {
	for _, r := range refusals {
		if errors.Is(err, r.errno) {
			return &reconcile.ErrPermission{
				Capability: "CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW", Err: fmt.Errorf("%w: %s", err, r.reason),
			}
		}
	}
	return err
}
