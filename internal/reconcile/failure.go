package reconcile

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/policy"
)

// capNetAdmin is what changing nftables and the sysctls of net.* takes.
const capNetAdmin = "CAP_NET_ADMIN"

func isStale(err error) bool {
	var stale *StaleError
	return errors.As(err, &stale)
}

// explained says whether an error has an exit code of its own.
func explained(err error) bool {
	var permission *ErrPermission
	var feature *ErrFeature
	return errors.As(err, &permission) || errors.As(err, &feature)
}

// permission names the capability when an error is about a missing right.
func permission(err error) error {
	if err == nil || explained(err) || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &ErrPermission{Capability: capNetAdmin, Err: err}
}

// place adds where a refused step is declared.
func place(plan *Plan, err error) error {
	var step *StepError
	if errors.As(err, &step) {
		if step.Range == (policy.Range{}) {
			step.Range = plan.work.rangeOf(step.Address)
		}
		return err
	}
	return &StepError{Step: "commit", Err: err}
}

// rangeOf is where an address is declared.
func (w *work) rangeOf(address string) policy.Range {
	for _, x := range w.desired.Resources {
		if x.Address == address {
			return x.Range
		}
	}
	return policy.Range{}
}

// noRoom says that a file could not be written for want of space.
func noRoom(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// background is for what must come to its end even when the caller has given up: putting back.
func background() context.Context { return context.Background() }
