package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/internal/status"
	"github.com/tcpguard/tcpguard/policy"
)

// maxTop bounds --top: shadow sets hold no more sources of both families.
const maxTop = 2 * 65536

func (a *app) statusCommand() *cobra.Command {
	var detailed bool
	var top int
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show whether the host is as declared, and what each policy does",
		Long: `Reads the kernel itself, changes nothing and needs no lock: is the host as declared and if not, what differs; of each
policy its mode, its traffic, what it refused and why, how many sources its tables hold and how many they may, its bans;
of a policy in mode "monitor" what each limit would have refused and the sources that would have been hit most (each
remembered for an hour after its last packet that would have been refused); then bans made by hand, conntrack, TCP
states, SYN and accept queues, SYN cookies, and the accept queues of the listeners behind the policies.

Counts of packets run since the policy was first applied, those of queues and cookies since the boot or the making of
the namespace. Where the policies cannot be read, status shows what the kernel holds and ends with their exit code (3).`,
		Example: `  tcpguard status
  tcpguard status --output json --detailed-exitcode
  tcpguard status --netns edge --top 50`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if top < 0 || top > maxTop {
				return usage("", "--top is %d, want 0 to %d", top, maxTop)
			}
			return a.status(cmd.Context(), detailed, top)
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when the host is not as declared")
	cmd.Flags().IntVar(&top, "top", 10, "how many sources each policy in mode monitor names: `N`")
	return cmd
}

func (a *app) status(ctx context.Context, detailed bool, top int) error {
	if err := a.enterNamespace(); err != nil {
		return err
	}
	bundle, unusable := a.load()
	if unusable != nil {
		if failure(unusable).ExitCode == exitUsage {
			return unusable
		}
		bundle = nil
	}
	conn, err := nft.Open()
	if err != nil {
		return banError(fmt.Errorf("open nftables: %w", err))
	}
	defer conn.Close()
	sync := status.Sync{}
	if unusable == nil {
		sync, unusable = a.syncStatus(ctx, bundle)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	shown, err := status.Read(ctx, conn, bundle, status.Options{Root: host.Proc, Top: top, Now: a.now})
	if err != nil {
		return banError(err)
	}
	if shown.Sync = sync; unusable != nil {
		shown.Sync.Unknown = unusable.Error()
	}
	name := a.flags.netns
	if name == "" {
		name = host.Proc.NamespaceName()
	}
	shown.Namespace = reconcile.NamespaceDir(name)
	if err := a.view().Status(shown); err != nil {
		return err
	}
	switch {
	case unusable != nil && a.flags.output == "json":
		return exitCode(failure(unusable).ExitCode) // the document says why
	case unusable != nil:
		return unusable
	case detailed && !shown.Sync.InSync():
		return errPending
	}
	return nil
}

// syncStatus compares the policy with the kernel. The error is why that cannot be done.
func (a *app) syncStatus(ctx context.Context, bundle *policy.Bundle) (status.Sync, error) {
	r, err := a.open()
	if err != nil {
		return status.Sync{}, err
	}
	plan, err := a.planned(ctx, func(ctx context.Context) (*reconcile.Plan, error) { return r.Plan(ctx, bundle) })
	if err = errors.Join(err, r.Close()); err != nil {
		return status.Sync{}, err
	}
	return status.SyncOf(plan), nil
}
