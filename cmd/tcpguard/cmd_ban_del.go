package main

import (
	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/bans"
	"github.com/tcpguard/tcpguard/internal/view"
)

func (a *app) banDelCommand() *cobra.Command {
	var in string
	var ignoreMissing bool
	cmd := &cobra.Command{
		Use:   "del ADDRESS|PREFIX|-...",
		Short: "end bans",
		Long: `Ends bans in one transaction; the sources are served again at once. Sources are given as they were banned: a prefix ends
the ban of that prefix, also where a longer ban has cut it into pieces, and not those of single addresses in it. With -
it reads them from standard input as "ban add" does.

When one of them is not banned nothing is changed (exit 1), unless --ignore-missing is given.`,
		Example: `  tcpguard ban del 192.0.2.7 2001:db8:bad::/48
  tcpguard ban del - --ignore-missing < blocklist.txt
  tcpguard ban del 192.0.2.7 --in web`,
		Args: wantSources,
		RunE: func(_ *cobra.Command, args []string) error { return a.banDel(args, placeOfFlag(in), ignoreMissing) },
	}
	inFlag(cmd, &in, "end bans in the policy `NAME`; those of the host when not given")
	cmd.Flags().BoolVar(&ignoreMissing, "ignore-missing", false, "end the others when some are not banned")
	return cmd
}

func (a *app) banDel(args []string, place bans.Place, ignoreMissing bool) error {
	entries, err := a.sources(args, bans.Forever)
	if err != nil {
		return err
	}
	if err := a.enterNamespace(); err != nil {
		return err
	}
	if place.Policy != "" {
		bundle, err := a.banPolicies()
		if err != nil {
			return withoutPolicies(err, place)
		}
		g, err := policyBan(bundle, place)
		if err != nil {
			return err
		}
		if entries, err = bans.Group(place, g, entries); err != nil {
			return usage("", "%v", err)
		}
	}
	k, done, err := a.keeper()
	if err != nil {
		return err
	}
	defer done()
	spans := make([]bans.Span, len(entries))
	for i, e := range entries {
		spans[i] = e.Span
	}
	deleted, err := k.Del(place, spans, ignoreMissing, a.author(""))
	if err != nil {
		return banError(err)
	}
	return a.view().Unbanned(view.Unbanned{Deleted: deleted, Warnings: journalWarning(deleted.Journal)})
}
