package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/reconcile"
)

// change is an apply or a destroy: the same course with other words.
type change struct {
	command     string
	question    string
	autoApprove bool
	plan        func(context.Context) (*reconcile.Plan, error)
	// do carries it out; approved is nil with --auto-approve.
	do func(ctx context.Context, approved *reconcile.Plan, progress func(string)) (*reconcile.Report, error)
}

func (a *app) applyCommand() *cobra.Command {
	var autoApprove bool
	var lockTimeout time.Duration
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "make the host hold what the policy declares",
		Long: `Shows the plan, asks, and makes it so: one nftables transaction, then the sysctls; then everything is read back and
compared. If a step fails, what was written is put back (exit 4). A second apply has nothing to do. The rules stay when
tcpguard ends, until "tcpguard destroy" or a reboot.`,
		Example: `  tcpguard apply --policy web.hcl
  tcpguard apply --policy web.hcl --auto-approve --lock-timeout 30s`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.streaming()
			if err := a.checkAsk("apply", autoApprove); err != nil {
				return err
			}
			bundle, r, err := a.prepare()
			if err != nil {
				return err
			}
			defer r.Close()
			return a.change(cmd.Context(), change{
				command: "apply", question: "Apply these changes to this host?", autoApprove: autoApprove,
				plan: func(ctx context.Context) (*reconcile.Plan, error) { return r.Plan(ctx, bundle) },
				do: func(ctx context.Context, approved *reconcile.Plan, progress func(string)) (*reconcile.Report, error) {
					return r.Apply(ctx, bundle, reconcile.ApplyOptions{Approved: approved, LockTimeout: lockTimeout, Progress: progress})
				},
			})
		},
	}
	cmd.Flags().BoolVar(&autoApprove, "auto-approve", false, "apply without asking")
	lockFlag(cmd, &lockTimeout)
	return cmd
}

// lockFlag is the flag of the commands that take the lock.
func lockFlag(cmd *cobra.Command, d *time.Duration) {
	cmd.Flags().DurationVar(d, "lock-timeout", 0, "how long to wait for another apply to end, such as `30s`")
}

// change plans, asks, carries out and reports.
func (a *app) change(ctx context.Context, c change) error {
	var approved *reconcile.Plan
	// With --strict the plan's warnings have to be seen before anything is done.
	if !c.autoApprove || a.flags.strict {
		plan, err := a.planned(ctx, c.plan)
		if err != nil {
			return err
		}
		if err := a.showPlan(plan); err != nil {
			return err
		}
		if !plan.Empty() && !c.autoApprove {
			if err := a.ask(ctx, c.question); err != nil {
				return err
			}
		}
		approved = plan
	}
	report, err := a.carryOut(ctx, c, approved)
	if report == nil || report.Plan == nil {
		return err
	}
	if viewErr := a.report(report, approved != nil); viewErr != nil && err == nil {
		return viewErr
	}
	return err
}

// showPlan shows a plan; with --strict its warnings are errors.
func (a *app) showPlan(plan *reconcile.Plan) error {
	if err := a.view().Plan(plan); err != nil {
		return err
	}
	if n := len(plan.Warnings); n > 0 && a.flags.strict {
		return &problem{code: exitInvalid, err: fmt.Errorf("the plan has %s, and --strict takes warnings for errors", counted(n, "warning"))}
	}
	return nil
}

// report shows what was done, and the plan before it unless it was shown already. An empty plan says no more than the
// report does.
func (a *app) report(r *reconcile.Report, planShown bool) error {
	if !planShown && !r.Plan.Empty() {
		if err := a.view().Plan(r.Plan); err != nil {
			return err
		}
	}
	if planShown && r.Outcome == reconcile.OutcomeUnchanged && r.Recovered == "" && a.flags.output == "text" {
		return nil
	}
	return a.view().Report(r)
}

// carryOut runs the change and tells its steps.
func (a *app) carryOut(ctx context.Context, c change, approved *reconcile.Plan) (*reconcile.Report, error) {
	// The Go runtime ends a process that writes to a closed standard output; not in the middle of an apply.
	signal.Ignore(syscall.SIGPIPE)
	p := a.progress()
	defer p.stop()
	log := a.logger().WithField("event", "step").WithField("command", c.command)
	return c.do(ctx, approved, func(step string) {
		log.WithField("step", step).Debug("begin a step")
		p.step(step)
		// A reader that went away must not stop an apply half way; the report will meet the same error.
		_ = a.view().Step(step, a.now())
	})
}
