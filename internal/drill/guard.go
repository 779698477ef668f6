package drill

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
)

// applyTo applies the bundle in a namespace, as apply does, and gives the report of it. State and lock go to a file system
// in memory that only the namespace's thread sees, so that they end with it.
func applyTo(ctx context.Context, s *space, b *policy.Bundle, version string) (report *reconcile.Report, err error) {
	err = s.Do(func() error {
		dir, err := ownDirectory()
		if err != nil {
			return err
		}
		r, err := reconcile.Open(reconcile.Options{StateDir: dir + "/state", RunDir: dir + "/run", Namespace: "drill", Version: version})
		if err != nil {
			return err
		}
		defer r.Close()
		report, err = r.Apply(ctx, b, reconcile.ApplyOptions{})
		return err
	})
	return report, err
}

// ownDirectory mounts a tmpfs over the directory for temporary files. The thread's mounts are its own (see newSpace);
// as slaves of the machine's they do not show there.
func ownDirectory() (string, error) {
	dir := os.TempDir()
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return "", fmt.Errorf("keep mounts to the drill: %w", os.NewSyscallError("mount", err))
	}
	if err := unix.Mount("tcpguard-drill", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return "", fmt.Errorf("mount a file system in memory over %s: %w", dir, os.NewSyscallError("mount", err))
	}
	return dir, nil
}

// verdicts is what the guarded namespace's table says.
type verdicts struct {
	counters map[string]uint64
	bans     []string // names of ban sets
}

// readVerdicts reads the table.
func readVerdicts(s *space) (v verdicts, err error) {
	v.counters = map[string]uint64{}
	var rules *enforcer.Ruleset
	err = s.Do(func() error {
		conn, err := nft.Open()
		if err != nil {
			return err
		}
		rules, _, err = conn.Read()
		return errors.Join(err, conn.Close())
	})
	if err != nil {
		return v, fmt.Errorf("read what was dropped: %w", err)
	}
	for _, c := range rules.Counters {
		v.counters[c.Name] = c.Packets
	}
	for _, set := range rules.Sets {
		if isBanSet(set.Name) {
			v.bans = append(v.bans, set.Name)
		}
	}
	return v, nil
}
