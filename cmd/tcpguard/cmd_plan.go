package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/reconcile"
)

func (a *app) planCommand() *cobra.Command {
	var detailed, destroy bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "show what apply would change, and why",
		Long: `Compares the policy with the kernel and shows each difference: + will be added, ~ will be changed, - will be removed,
! is declared and was applied, and is missing from the kernel or changed there. Nothing is changed. The plan says which
limits start counting anew; everything it does not name keeps its live state.`,
		Example: `  tcpguard plan --policy web.hcl
  tcpguard plan --policy web.hcl --output json --detailed-exitcode`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), detailed, destroy) },
	}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there is something to change")
	cmd.Flags().BoolVar(&destroy, "destroy", false, "show what destroy would remove and restore")
	return cmd
}

func (a *app) plan(ctx context.Context, detailed, destroy bool) error {
	plan, err := a.makePlan(ctx, destroy)
	if err != nil {
		return err
	}
	if err := a.showPlan(plan); err != nil {
		return err
	}
	if detailed && !plan.Empty() {
		return errPending
	}
	return nil
}

// makePlan plans an apply, or a destroy, which needs no policy.
func (a *app) makePlan(ctx context.Context, destroy bool) (*reconcile.Plan, error) {
	if destroy {
		if err := a.enterNamespace(); err != nil {
			return nil, err
		}
		r, err := a.open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return a.planned(ctx, func(ctx context.Context) (*reconcile.Plan, error) { return r.PlanDestroy(ctx, false) })
	}
	bundle, r, err := a.prepare()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return a.planned(ctx, func(ctx context.Context) (*reconcile.Plan, error) { return r.Plan(ctx, bundle) })
}
