package reconcile

import "time"

// Options says on what a Reconciler works. The process, or the calling thread, must already be in the network
// namespace it is about; everything runs on the calling goroutine, so a locked thread stays in its namespace.
type Options struct {
	StateDir  string // /var/lib/tcpguard: what must survive a reboot
	RunDir    string // /run/tcpguard: the lock
	Namespace string // a name or path as given to --netns; "" for the thread's own, which Open finds the name of
	// SysctlRoot is the tree of settings, /proc/sys when "". Another one is a copy (a test, a container's).
	SysctlRoot string
	Version    string // tcpguard's version, recorded with what was applied

	hostKeys bool // also in a namespace, keys of the whole host are in SysctlRoot
}

// ApplyOptions says how an apply behaves.
type ApplyOptions struct {
	// Approved is the plan a person or a file approved. When the policy or the kernel's state is another one by the
	// time the lock is held, the apply is refused. Nil approves whatever the plan turns out to be.
	Approved    *Plan
	LockTimeout time.Duration // how long to wait for another apply; 0 does not wait
	// Progress, when set, is told each step as it begins: "read", "commit", "sysctl", "verify". It must not block.
	Progress func(step string)
}

// DestroyOptions says how a destroy behaves.
type DestroyOptions struct {
	KeepSysctl  bool  // leave the sysctls as they are and forget their originals
	Approved    *Plan // as in ApplyOptions
	LockTimeout time.Duration
	Progress    func(step string)
}
