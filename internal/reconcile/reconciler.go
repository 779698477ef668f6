package reconcile

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

// Reconciler plans and applies on one network namespace. It is not safe for concurrent use; the lock keeps other
// processes away.
type Reconciler struct {
	kernel   Kernel
	settings Settings
	observer Observer
	store    store
	lockPath string
	options  Options
	now      func() time.Time
	pause    func(ctx context.Context, attempt int) error // before reading again after a stale commit
	closers  []func() error
	// adopt tells conntrack of the open connections to local ports and gives their number.
	adopt func(ports []policy.PortRange) (int, error)
}

// newReconciler makes a Reconciler over the given edges.
func newReconciler(o Options, k Kernel, s Settings, h Observer) *Reconciler {
	name := NamespaceDir(o.Namespace)
	return &Reconciler{
		kernel: k, settings: s, observer: h, options: o,
		store:    store{dir: filepath.Join(o.StateDir, name)},
		lockPath: filepath.Join(o.RunDir, name+".lock"),
		now:      time.Now,
		pause:    backoff,
	}
}

// Close gives back what Open took: the netlink socket.
func (r *Reconciler) Close() error {
	var errs []error
	for _, c := range r.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// contents gives the kept list contents.
func (r *Reconciler) contents() contents { return contents{dir: r.store.path(contentsDir)} }
