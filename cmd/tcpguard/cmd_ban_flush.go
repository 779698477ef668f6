package main

import (
	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/view"
)

func (a *app) banFlushCommand() *cobra.Command {
	var in string
	var autoApprove bool
	cmd := &cobra.Command{
		Use:   "flush",
		Short: "end all bans",
		Long: `Ends all bans, of the host and of every policy, in one transaction, and asks before it does. Whom a policy remembers as a
repeat offender stays remembered.`,
		Example: `  tcpguard ban flush
  tcpguard ban flush --in web --auto-approve`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkAsk("ban flush", autoApprove); err != nil {
				return err
			}
			if err := a.enterNamespace(); err != nil {
				return err
			}
			k, done, err := a.keeper()
			if err != nil {
				return err
			}
			defer done()
			only := onlyPlace(in)
			if !autoApprove {
				whose := "the host and of every policy"
				if only != nil {
					whose = only.String()
				}
				if err := a.ask(cmd.Context(), "End all bans of "+whose+"?"); err != nil {
					return err
				}
			}
			flushed, err := k.Flush(only, a.author(""))
			if err != nil {
				return banError(err)
			}
			return a.view().Flushed(view.Flushed{Places: flushed.Places, Warnings: journalWarning(flushed.Journal)})
		},
	}
	inFlag(cmd, &in, "end those of the policy `NAME` alone, or of the host (host)")
	cmd.Flags().BoolVar(&autoApprove, "auto-approve", false, "end them without asking")
	return cmd
}
