package status

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/policy"
)

// Kernel is the part of *nft.Conn that a status needs.
type Kernel interface {
	Read() (*enforcer.Ruleset, uint32, error)
	Live() (*nft.Live, error)
	CountedElements(*enforcer.Set) ([]nft.CountedElement, error)
}

// Options say what is read.
type Options struct {
	Root host.Root        // where /proc is
	Top  int              // how many sources each policy in monitor mode tells
	Now  func() time.Time // the clock
}

// Read reads the thread's network namespace. bundle is nil when the policy files cannot be used; what the kernel holds
// is told all the same. Sync and Namespace are left to the caller.
//
// What the packet filter has counted is the heart of it, so failing to read that is an error; what else cannot be read
// becomes a note.
func Read(ctx context.Context, k Kernel, bundle *policy.Bundle, o Options) (*Status, error) {
	live, err := k.Live()
	if err != nil {
		return nil, fmt.Errorf("read the kernel's state: %w", err)
	}
	var ports map[string][]policy.PortRange
	if bundle == nil && live.Exists {
		rs, _, err := k.Read()
		if err != nil {
			return nil, fmt.Errorf("read the kernel's state: %w", err)
		}
		ports = heldPorts(rs)
	}
	s := &Status{Time: o.Now().UTC(), Applied: live.Exists, Policies: policies(bundle, live, ports), Bans: hostBans(live)}
	note := func(err error) {
		if err != nil {
			s.Notes = append(s.Notes, err.Error())
		}
	}
	note(shadows(k, s.Policies, live, o.Top))
	proc := procFiles{string(o.Root)}
	s.Conntrack, err = proc.conntrack()
	note(err)
	s.TCP, err = proc.tcp(ctx)
	note(err)
	listeners, err := o.Root.Listeners(ctx)
	note(err)
	s.Listeners = guarded(listeners, s.Policies, bundle)
	return s, ctx.Err()
}
