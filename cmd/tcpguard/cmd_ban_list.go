package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/bans"
	"github.com/tcpguard/tcpguard/internal/view"
)

func (a *app) banListCommand() *cobra.Command {
	var in string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "show who is banned, where and for how long",
		Long: `Lists the bans in force as the kernel holds them, those of the host first: made by hand, and by policies for themselves.
Who made a ban, when and why comes from the state directory. Where the policies can be read, a policy's bans show as the
groups that they are; else as their first address.`,
		Example: `  tcpguard ban list
  tcpguard ban list --in host --output json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.enterNamespace(); err != nil {
				return err
			}
			k, done, err := a.keeper()
			if err != nil {
				return err
			}
			defer done()
			list, journal, err := k.List(onlyPlace(in), a.groupings())
			if err != nil {
				return banError(err)
			}
			shown := view.BanList{Bans: list}
			if journal != nil {
				shown.Warnings = []string{fmt.Sprintf("reasons cannot be shown: %v", journal)}
			}
			return a.view().Bans(shown)
		},
	}
	inFlag(cmd, &in, "list those of the policy `NAME` alone, or of the host (host)")
	return cmd
}

// onlyPlace reads --in where its absence means everywhere.
func onlyPlace(in string) *bans.Place {
	if in == "" {
		return nil
	}
	p := bans.ParsePlace(in)
	return &p
}
