// Package fault marks the places where an apply may be cut short, so that tests can kill the process at each of them
// and see the next run recover. Ordinary builds compile every mark to nothing; a build with the tag "faultpoints"
// kills itself with SIGKILL at the mark that the environment variable TCPGUARD_FAULT names.
package fault

// Name is the name of a fault point.
type Name string

// The fault points, in the order an apply, and after it a rollback and a destroy, passes them.
const (
	AfterLock          Name = "after-lock"           // the lock is held, nothing was read
	AfterPlan          Name = "after-plan"           // the plan is made, nothing was written
	AfterPending       Name = "after-pending"        // the pending journal is on disk, the kernel untouched
	AfterContents      Name = "after-contents"       // new list contents are on disk
	AfterCommit        Name = "after-commit"         // nftables has the new state, no sysctl was written
	AfterJournal       Name = "after-journal"        // the originals of the sysctls are on disk, none was written
	AfterFirstSysctl   Name = "after-first-sysctl"   // one sysctl of several is written
	AfterSysctls       Name = "after-sysctls"        // every sysctl is written, nothing is read back
	AfterVerify        Name = "after-verify"         // everything was read back and is as declared
	AfterApplied       Name = "after-applied"        // applied.json is new, the pending journal is still there
	AfterPendingGone   Name = "after-pending-gone"   // the pending journal is gone, old list contents are still there
	AfterUndoSysctls   Name = "after-undo-sysctls"   // a rollback has put the sysctls back, not yet nftables
	AfterUndoCommit    Name = "after-undo-commit"    // a rollback has put nftables back, the journal is still there
	AfterDestroyTable  Name = "after-destroy-table"  // a destroy has removed the table, the sysctls are as declared
	AfterDestroySysctl Name = "after-destroy-sysctl" // a destroy has restored the sysctls, its records are still there
)

// Points lists every fault point, so that a test can iterate over all of them.
func Points() []Name {
	return []Name{
		AfterLock, AfterPlan, AfterPending, AfterContents, AfterCommit, AfterJournal, AfterFirstSysctl, AfterSysctls,
		AfterVerify, AfterApplied, AfterPendingGone, AfterUndoSysctls, AfterUndoCommit, AfterDestroyTable,
		AfterDestroySysctl,
	}
}
