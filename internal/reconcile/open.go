package reconcile

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/adopt"
	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/sysctl"
)

// Open reaches for the packet filter and the sysctls of the calling thread's network namespace. It changes nothing.
//
// Errors: *ErrPermission without CAP_NET_ADMIN, *ErrFeature on a kernel without nf_tables.
func Open(o Options) (*Reconciler, error) {
	conn, err := nft.Open()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", fromNFT(err))
	}
	settings, err := sysctl.NewClient(o.SysctlRoot)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if o.Namespace == "" {
		// Also after `ip netns exec`: what is recorded of one namespace must never be restored in another.
		o.Namespace = host.Proc.NamespaceName()
		// A copy of the tree has the keys of a whole host, and writing those harms nobody.
		o.hostKeys = o.SysctlRoot != "" && filepath.Clean(o.SysctlRoot) != sysctlRoot
	}
	r := newReconciler(o, packetFilter{conn}, settings, newMachine(o))
	r.adopt = adopt.Connections
	r.closers = append(r.closers, conn.Close)
	return r, nil
}

// sysctlRoot is where the kernel shows its settings.
const sysctlRoot = "/proc/sys"

// packetFilter is the Kernel that is a kernel: it words the errors of enforcer/nft as this package's.
type packetFilter struct{ conn *nft.Conn }

func (p packetFilter) Normalize(r *enforcer.Ruleset) error { return nft.Normalize(r) }

func (p packetFilter) Read() (*enforcer.Ruleset, uint32, error) {
	r, generation, err := p.conn.Read()
	return r, generation, fromNFT(err)
}

func (p packetFilter) Commit(tx *enforcer.Transaction, generation uint32) error {
	return fromNFT(p.conn.Commit(tx, generation))
}

// fromNFT sorts errors by what a caller does about them.
func fromNFT(err error) error {
	var refusal *nft.RefusedError
	var feature *nft.FeatureError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nft.ErrStale):
		return &StaleError{}
	case errors.Is(err, nft.ErrBusy):
		return &ErrRefused{Err: err}
	case errors.Is(err, nft.ErrPermission):
		return &ErrPermission{Capability: capNetAdmin, Err: err}
	}
	if errors.As(err, &refusal) && len(refusal.Ops) > 0 {
		// What fails first is the cause; the declaration it serves is where to look.
		err = &StepError{Step: "commit", Address: refusal.Ops[0].Address, Err: err}
	}
	if errors.As(err, &feature) {
		return &ErrFeature{Feature: feature.Feature, Minimum: feature.MinKernel, Err: err}
	}
	return err
}
