package host

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Release is the version of a Linux kernel.
type Release struct {
	Major, Minor, Patch int
	Full                string // as uname says it, such as "6.1.0-13-amd64"
}

// KernelRelease gives the version of the running kernel.
func (r Root) KernelRelease() (Release, error) {
	full, err := r.read("sys", "kernel", "osrelease")
	if err != nil {
		return Release{}, fmt.Errorf("read kernel release: %w", err)
	}
	return ParseRelease(full)
}

// ParseRelease reads "major.minor[.patch][anything]", each number below 65536.
func ParseRelease(full string) (Release, error) {
	r := Release{Full: full}
	rest := full
	for i, n := range []*int{&r.Major, &r.Minor, &r.Patch} {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		v, err := strconv.ParseUint(digits, 10, 16)
		if err != nil {
			if i == 2 {
				break
			}
			return Release{}, fmt.Errorf("read kernel release: %q does not begin with two numbers", full)
		}
		*n = int(v)
		after, dot := strings.CutPrefix(rest[len(digits):], ".")
		if !dot {
			if i == 0 {
				return Release{}, fmt.Errorf("read kernel release: %q does not begin with two numbers", full)
			}
			break
		}
		rest = after
	}
	return r, nil
}

// AtLeast says whether the kernel is of the given version or a later one.
func (r Release) AtLeast(major, minor int) bool {
	return r.Major > major || r.Major == major && r.Minor >= minor
}

// String gives the release as uname does.
func (r Release) String() string { return r.Full }

// Capabilities are the effective capabilities of a thread, bit N for capability number N (linux/capability.h).
type Capabilities uint64

// Capabilities gives those of the calling thread, which are held in its own user namespace: in a network namespace
// that belongs to another one, the kernel may still refuse.
func (r Root) Capabilities() (Capabilities, error) {
	file := r.path("thread-self", "status")
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	hex, ok := field(text, "CapEff:")
	bits, err := strconv.ParseUint(hex, 16, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("read capabilities: no CapEff in %s", file)
	}
	return Capabilities(bits), nil
}

// Has says whether a capability, such as unix.CAP_NET_ADMIN, is effective.
func (c Capabilities) Has(capability int) bool { return c>>capability&1 == 1 }

// NetAdmin says whether CAP_NET_ADMIN is effective, without which no rule and no network setting can be changed.
func (c Capabilities) NetAdmin() bool { return c.Has(unix.CAP_NET_ADMIN) }
