package drill

import (
	"os"
	"strings"

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
