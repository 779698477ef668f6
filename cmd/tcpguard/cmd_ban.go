package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/bans"
	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/reconcile"
)

func (a *app) banCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ban COMMAND",
		Short: "shut sources out by hand, and let them in again",
		Long: `Works on the kernel's bans directly and at once: no apply is needed, and no apply forgets one. Bans of the host drop
everything that a source sends, before conntrack and also on connections that are open; only management sources pass.
With --in NAME a ban holds for what one policy guards, beside the bans that the policy makes by itself. (--policy names
the policy files, here as everywhere.)

"ban add" keeps --reason in the state directory, with who gave it and when; "ban list" shows it. A reboot ends all bans.`,
		Example: `  tcpguard ban add 192.0.2.7 2001:db8:bad::/48 --for 1d --reason "port scans"
  tcpguard ban list
  tcpguard ban del 192.0.2.7`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			return usage("run `tcpguard ban --help`", "ban wants one of add, del, list, flush")
		},
	}
	cmd.AddCommand(a.banAddCommand(), a.banDelCommand(), a.banListCommand(), a.banFlushCommand())
	return cmd
}

// inFlag is the flag that says where a ban holds.
func inFlag(cmd *cobra.Command, in *string, usage string) {
	cmd.Flags().StringVar(in, "in", "", usage)
}

// keeper opens the bans of the namespace that the process is in. Close it.
func (a *app) keeper() (*bans.Keeper, func(), error) {
	conn, err := nft.Open()
	if err != nil {
		return nil, nil, banError(fmt.Errorf("open nftables: %w", err))
	}
	name := a.flags.netns
	if name == "" {
		name = host.Proc.NamespaceName()
	}
	journal := bans.NewJournal(filepath.Join(a.flags.stateDir, reconcile.NamespaceDir(name)), a.now)
	return bans.NewKeeper(conn, journal), func() { _ = conn.Close() }, nil
}

// banError gives an error its exit code and says what to do about it.
func banError(err error) error {
	var (
		protected *bans.ProtectedError
		missing   *bans.NotBannedError
		feature   *nft.FeatureError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &protected):
		return &problem{code: exitRefused, err: err, hint: "--force bans them all the same; management sources pass even then"}
	case errors.As(err, &missing):
		return &problem{code: exitError, err: err, hint: "`tcpguard ban list` shows what is banned; --ignore-missing ends the others"}
	case errors.Is(err, nft.ErrNoTable):
		return &problem{code: exitError, err: err, hint: "bans need the table that `tcpguard apply` makes: apply a policy first"}
	case errors.Is(err, bans.ErrNotApplied):
		return &problem{code: exitError, err: err,
			hint: "run `tcpguard apply` first; a policy has bans when it has a ban block and its mode is enforce"}
	case errors.Is(err, nft.ErrPermission):
		return &reconcile.ErrPermission{Capability: "CAP_NET_ADMIN", Err: err}
	case errors.As(err, &feature):
		return &reconcile.ErrFeature{Feature: feature.Feature, Minimum: feature.MinKernel, Err: err}
	}
	return err
}

// sessions tells where this process is run from.
func (a *app) sessions() bans.Sessions {
	return bans.Sessions{Getenv: a.getenv, Proc: "/proc", PID: os.Getpid()}
}

// author is who runs the command: the login that it began with, where the kernel or sudo tells.
func (a *app) author(reason string) bans.Author {
	author := bans.Author{UID: os.Getuid(), Reason: reason}
	uid := author.UID
	if login, ok := a.sessions().LoginID(); ok {
		uid = login
	} else if sudo, ok := a.getenv("SUDO_USER"); ok && sudo != "" {
		author.Login = sudo
		return author
	}
	author.Login = strconv.Itoa(uid)
	if u, err := user.LookupId(author.Login); err == nil {
		author.Login = u.Username
	}
	return author
}

// maxReason is how many bytes a reason may have.
const maxReason = 256

func checkReason(reason string) error {
	if len(reason) > maxReason {
		return usage("", "--reason has %d bytes; %d are kept", len(reason), maxReason)
	}
	if strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return usage("", "--reason has a character that cannot be printed: %q", reason)
	}
	return nil
}

// journalWarning says that a change is in force although it could not be written down.
func journalWarning(err error) []string {
	if err == nil {
		return nil
	}
	text := err.Error()
	if errors.Is(err, fs.ErrPermission) {
		text += " (run as root, or name another --state-dir)"
	}
	return []string{"the kernel has it, but the reason will not show in the list: " + text}
}
