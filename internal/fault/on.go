//go:build faultpoints

package fault

import (
	"os"
	"syscall"
)

// Enabled says whether this build honours TCPGUARD_FAULT.
const Enabled = true

// Point kills the process with SIGKILL when TCPGUARD_FAULT is name. Nothing deferred runs, as in a power cut of the
// process; what the kernel already took stays.
func Point(name Name) {
	if os.Getenv("TCPGUARD_FAULT") != string(name) {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way; no further step may run
}
