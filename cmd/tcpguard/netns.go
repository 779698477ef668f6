package main

import (
	"errors"
	"io/fs"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/reconcile"
)

// enterNamespace moves the calling goroutine into the namespace of --netns, for the rest of the process.
func (a *app) enterNamespace() error {
	if a.flags.netns == "" {
		return nil
	}
	err := host.EnterNetNS(a.flags.netns)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, host.ErrNotNetNS):
		return &problem{code: exitError, err: err, hint: "`ip netns list` shows the names"}
	case errors.Is(err, fs.ErrPermission):
		return &reconcile.ErrPermission{Capability: "CAP_SYS_ADMIN", Err: err}
	}
	return err
}
