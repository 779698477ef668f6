package host

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// NamespaceName tells whether the thread is in a network namespace beside the machine's own, as after `ip netns exec`
// or `nsenter`: it gives the name that `ip netns` knows it by, or "inode-N" for one without a name. In the namespace of
// process 1 (the host's, or the container's as seen from inside) it gives "", and so it does for a namespace without a
// name where process 1 may not be looked at.
func (r Root) NamespaceName() string {
	var own, first unix.Stat_t
	if r.IsInitialNetNS() || unix.Stat(r.path("thread-self", "ns", "net"), &own) != nil {
		return ""
	}
	firstErr := unix.Stat(r.path("1", "ns", "net"), &first)
	if firstErr == nil && own.Dev == first.Dev && own.Ino == first.Ino {
		return ""
	}
	names, _ := os.ReadDir(namespaceDir)
	for _, name := range names {
		var st unix.Stat_t
		if unix.Stat(filepath.Join(namespaceDir, name.Name()), &st) == nil && st.Dev == own.Dev && st.Ino == own.Ino {
			return name.Name()
		}
	}
	if firstErr != nil {
		return ""
	}
	return fmt.Sprintf("inode-%d", own.Ino)
}
