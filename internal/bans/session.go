package bans

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Sessions finds out from where, and by whom, this process is run.
type Sessions struct {
	Getenv func(string) (string, bool)
	Proc   string // where procfs is mounted
	PID    int
}

// sessionVariables are what sshd sets; the first word of each is the client's address.
var sessionVariables = [...]string{"SSH_CONNECTION", "SSH_CLIENT"}

// maxAncestors bounds the walk towards process 1.
const maxAncestors = 64

// Peers gives the addresses that the session comes from. sudo takes sshd's variables away, so the environments of the
// processes above are asked as well, as far as they may be read.
func (s Sessions) Peers() []netip.Addr {
	var peers []netip.Addr
	note := func(value string) {
		text, _, _ := strings.Cut(value, " ")
		if a, err := netip.ParseAddr(text); err == nil {
			peers = append(peers, a.WithZone("").Unmap())
		}
	}
	for _, name := range sessionVariables {
		if value, ok := s.Getenv(name); ok {
			note(value)
		}
	}
	for pid, n := s.parent(s.PID), 0; pid > 1 && n < maxAncestors; pid, n = s.parent(pid), n+1 {
		environment, err := os.ReadFile(s.file(pid, "environ"))
		if err != nil {
			continue
		}
		for _, variable := range bytes.Split(environment, []byte{0}) {
			name, value, _ := strings.Cut(string(variable), "=")
			if slices.Contains(sessionVariables[:], name) {
				note(value)
			}
		}
	}
	slices.SortFunc(peers, netip.Addr.Compare)
	return slices.Compact(peers)
}

func (s Sessions) file(pid int, name string) string {
	return filepath.Join(s.Proc, strconv.Itoa(pid), name)
}

// parent gives a process's parent, 0 when there is none to be seen.
func (s Sessions) parent(pid int) int {
	status, err := os.ReadFile(s.file(pid, "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "PPid:"); ok {
			parent, _ := strconv.Atoi(strings.TrimSpace(value))
			return parent
		}
	}
	return 0
}

// LoginID is the user who logged in, whatever they became since (the audit login uid); ok is false where the kernel
// does not know.
func (s Sessions) LoginID() (uid int, ok bool) {
	const unset = 1<<32 - 1
	text, err := os.ReadFile(s.file(s.PID, "loginuid"))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	return int(n), err == nil && n != unset
}
