package nettest

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Need skips the test unless this process may make network namespaces and change rules in them. It checks
// capabilities and not the user id, because a container's root often has neither.
func Need(t T) {
	t.Helper()
	if err := capable(unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN, unix.CAP_NET_RAW); err != nil {
		t.Skipf("needs root with CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_NET_RAW: %v", err)
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		t.Skipf("needs a writable %s: %v", runDir, err)
	}
}

// NeedProgram skips the test unless the oracle program is installed.
func NeedProgram(t T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("needs the program %s: %v", name, err)
	}
}

func capable(capabilities ...int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for _, c := range capabilities {
		if data[c/32].Effective&(1<<(c%32)) == 0 {
			return fmt.Errorf("capability %d is missing", c)
		}
	}
	return nil
}
