package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/bans"
	"github.com/tcpguard/tcpguard/internal/view"
)

// banAdd is what the flags of ban add say.
type banAdd struct {
	duration, reason, in string
	force                bool
}

func (a *app) banAddCommand() *cobra.Command {
	var o banAdd
	cmd := &cobra.Command{
		Use:   "add ADDRESS|PREFIX|-...",
		Short: "ban addresses, prefixes or first-last ranges",
		Long: `Bans sources in one transaction, whether one or 100,000. With - it reads them from standard input, one a line, with a
duration of its own behind it where one is wanted ("192.0.2.0/24 7d"); what follows a # is skipped.

It bans exactly what it is given: an IPv6 client can change its address within its /64, so ban the /64. Banning again
sets the time anew. Ranges may overlap: each address stays banned until the latest end of all that cover it.

Management sources, addresses that a policy allows, loopback and the address that this session comes from are refused
(exit 5) unless --force is given. To know them the policies are read; when they cannot be, nothing is banned (exit 3),
again unless --force is given.

With --in NAME whole groups are banned, as the policy's ban block counts sources (ipv4_prefix, ipv6_prefix); a prefix of
another length is refused.`,
		Example: `  tcpguard ban add 192.0.2.7 --for 7d --reason "password guessing"
  tcpguard ban add 2001:db8:bad::/48 198.51.100.0/24 --for forever
  tcpguard ban add - --for 1h < blocklist.txt
  tcpguard ban add 192.0.2.7 --in web`,
		Args: wantSources,
		RunE: func(_ *cobra.Command, args []string) error { return a.banAdd(args, o) },
	}
	cmd.Flags().StringVar(&o.duration, "for", "1h", "how long: a `DURATION` such as 10m, 1h, 7d, 2w, or forever")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, for the list: `TEXT` of at most 256 bytes")
	inFlag(cmd, &o.in, "ban in the policy `NAME` alone; the whole host when not given")
	cmd.Flags().BoolVar(&o.force, "force", false, "ban also who must not be banned, and without readable policies")
	return cmd
}

func wantSources(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("run `"+cmd.CommandPath()+" --help`", "%q wants addresses or prefixes, or - to read them", cmd.CommandPath())
	}
	return nil
}

func (a *app) banAdd(args []string, o banAdd) error {
	usual, err := bans.ParseFor(o.duration)
	if err != nil {
		return usage("", "--for: %v", err)
	}
	if err := checkReason(o.reason); err != nil {
		return err
	}
	entries, err := a.sources(args, usual)
	if err != nil {
		return err
	}
	if err := a.enterNamespace(); err != nil {
		return err
	}
	place := placeOfFlag(o.in)
	entries, notes, err := a.guarded(place, entries, o.force)
	if err != nil {
		return banError(err)
	}
	k, done, err := a.keeper()
	if err != nil {
		return err
	}
	defer done()
	added, err := k.Add(place, entries, a.author(o.reason))
	if err != nil {
		return banError(err)
	}
	shown := view.Banned{Added: added, For: o.duration, Notes: notes, Warnings: journalWarning(added.Journal)}
	for _, e := range entries {
		if e.For != usual {
			shown.For = ""
		}
	}
	return a.view().Banned(shown)
}

// placeOfFlag reads --in.
func placeOfFlag(in string) bans.Place {
	if in == "" {
		return bans.Place{}
	}
	return bans.ParsePlace(in)
}

// sources reads what to ban from the command line and, for -, from standard input.
func (a *app) sources(args []string, usual time.Duration) ([]bans.Entry, error) {
	var entries []bans.Entry
	stdin := false
	for _, arg := range args {
		switch {
		case arg == "-" && stdin:
			return nil, usage("", "- stands for standard input, which can be read once")
		case arg == "-":
			stdin = true
			read, err := bans.Read(a.stdin, usual)
			if err != nil {
				return nil, &problem{code: exitError, err: fmt.Errorf("read standard input: %w", err), hint: "nothing was changed"}
			}
			entries = append(entries, read...)
		default:
			span, err := bans.ParseSpan(arg)
			if err != nil {
				return nil, usage("", "%q: %v", arg, err)
			}
			entries = append(entries, bans.Entry{Span: span, For: usual})
		}
	}
	return entries, nil
}

// guarded makes sure that nobody is banned who must not be, and gives the entries as their place takes them.
func (a *app) guarded(place bans.Place, entries []bans.Entry, force bool) ([]bans.Entry, []string, error) {
	bundle := a.quietPoliciesIf(force)
	if bundle == nil && (!force || place.Policy != "") {
		var err error
		if bundle, err = a.banPolicies(); err != nil {
			return nil, nil, withoutPolicies(err, place)
		}
	}
	var notes []string
	if place.Policy != "" {
		g, err := policyBan(bundle, place)
		if err != nil {
			return nil, nil, err
		}
		grouped, err := bans.Group(place, g, entries)
		if err != nil {
			return nil, nil, usage("", "%v", err)
		}
		notes, entries = groupNote(place, g, entries, grouped), grouped
	}
	err := bans.NewGuard(bundle, a.sessions().Peers()).Check(entries)
	if hit := (*bans.ProtectedError)(nil); force && errors.As(err, &hit) {
		return entries, append(notes, fmt.Sprintf("forced: %s", hit.Who())), nil
	}
	return entries, notes, err
}

// withoutPolicies tells what can be done when the policies cannot be read.
func withoutPolicies(err error, place bans.Place) error {
	if own := (*problem)(nil); errors.As(err, &own) && own.code == exitInvalid {
		hint := "mend the policies or name them with --policy, so that nobody is banned who must not be; --force bans without them"
		if place.Policy != "" {
			hint = "mend the policies or name them with --policy: they say what " + place.String() + " counts as one source"
		}
		return &problem{code: own.code, err: own.err, hint: hint}
	}
	return err
}
