package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/reconcile"
)

func (a *app) destroyCommand() *cobra.Command {
	var autoApprove, keepSysctl bool
	var lockTimeout time.Duration
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "remove the rules and restore the sysctls",
		Long: `Removes tcpguard's table and writes back the sysctls that were found before the first apply. It needs no policy files.
Counters, live counts and lists in the kernel go with the table.`,
		Example: `  tcpguard destroy
  tcpguard destroy --auto-approve --keep-sysctl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.streaming()
			if err := a.checkAsk("destroy", autoApprove); err != nil {
				return err
			}
			if err := a.enterNamespace(); err != nil {
				return err
			}
			r, err := a.open()
			if err != nil {
				return err
			}
			defer r.Close()
			return a.change(cmd.Context(), change{
				command: "destroy", question: "Remove everything of tcpguard from this host?", autoApprove: autoApprove,
				plan: func(ctx context.Context) (*reconcile.Plan, error) { return r.PlanDestroy(ctx, keepSysctl) },
				do: func(ctx context.Context, approved *reconcile.Plan, progress func(string)) (*reconcile.Report, error) {
					return r.Destroy(ctx, reconcile.DestroyOptions{
						KeepSysctl: keepSysctl, Approved: approved, LockTimeout: lockTimeout, Progress: progress,
					})
				},
			})
		},
	}
	cmd.Flags().BoolVar(&autoApprove, "auto-approve", false, "destroy without asking")
	cmd.Flags().BoolVar(&keepSysctl, "keep-sysctl", false, "leave the sysctls as they are and forget what they were")
	lockFlag(cmd, &lockTimeout)
	return cmd
}
