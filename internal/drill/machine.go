package drill

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/drill/report"
	"github.com/tcpguard/tcpguard/internal/host"
)

// machine describes where the drill runs.
func machine() (s report.Setup, err error) {
	release, err := host.Proc.KernelRelease()
	if err != nil {
		return s, err
	}
	facts, err := host.Proc.Facts()
	if err != nil {
		return s, err
	}
	s.Kernel, s.CPUs, s.MemoryMiB = release.Full, facts.CPUs, facts.MemoryMiB
	s.CPU, s.UserNamespace = cpuModel(), os.Getenv(childVariable) != ""
	return s, nil
}

// cpuModel is the processor's name, or "" where the kernel does not tell it, as on most ARM machines.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// filesNeeded is how many descriptors hoarders, server and clients take together, with room to spare.
const filesNeeded = 4096

// enoughFiles makes sure that no connection fails for want of a descriptor, which would look like a lost one. The Go
// runtime has raised the soft limit to the hard one already.
func enoughFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur < filesNeeded {
		return fmt.Errorf("a drill takes %d open files, the limit is %d: raise it with `ulimit -n %d`", filesNeeded, limit.Cur, filesNeeded)
	}
	return nil
}
