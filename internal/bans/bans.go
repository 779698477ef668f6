// Package bans shuts sources out by hand, and lets them in again: it works on the kernel's sets directly and at once,
// beside whatever the policies ban by themselves. The kernel holds the bans and ends them; what is kept in a file, the
// reason and who gave it, only explains them.
package bans

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/tcpguard/tcpguard/enforcer/nft"
)

// Forever is the duration of a ban that only a person ends.
const Forever time.Duration = 0

// Place is where a ban holds: for the whole host, or for what one policy guards. The zero Place is the host.
type Place struct{ Policy string }

// HostWord stands for the host where a policy could stand.
const HostWord = "host"

// ParsePlace reads "host", a policy's name, or its address "policy.NAME". (A policy named "host" is "policy.host".)
func ParsePlace(text string) Place {
	if text == HostWord {
		return Place{}
	}
	return Place{Policy: strings.TrimPrefix(text, "policy.")}
}

// String gives "host" or the policy's address.
func (p Place) String() string {
	if p.Policy == "" {
		return HostWord
	}
	return "policy." + p.Policy
}

// set names the kernel set for a kind of entry, as enforcer.Compile does.
func (p Place) set(ipv6, ranges bool) string {
	name := "ban.v4"
	if ipv6 {
		name = "ban.v6"
	}
	if p.Policy != "" {
		return "policy." + p.Policy + "." + name
	}
	if ranges {
		name += ".net"
	}
	return name
}

// placeOf undoes set; ok is false for a set that holds no bans, such as who was banned before.
func placeOf(set string) (p Place, ok bool) {
	switch set {
	case "ban.v4", "ban.v6", "ban.v4.net", "ban.v6.net":
		return Place{}, true
	}
	name, ok := strings.CutPrefix(set, "policy.")
	for _, suffix := range []string{".ban.v4", ".ban.v6"} {
		if policy, found := strings.CutSuffix(name, suffix); ok && found && policy != "" && !strings.Contains(policy, ".") {
			return Place{Policy: policy}, true
		}
	}
	return Place{}, false
}

// Grouping is how many bits of an address a policy looks at: its bans are of whole groups.
type Grouping struct{ IPv4, IPv6 int }

func (g Grouping) bits(a netip.Addr) int {
	if a.Is4() {
		return g.IPv4
	}
	return g.IPv6
}

// Entry is one source to ban and for how long.
type Entry struct {
	Span
	For time.Duration // whole seconds, or Forever
}

// Ban is a ban in force.
type Ban struct {
	Span
	Place Place
	Left  time.Duration // until it ends; 0 with Permanent
	// Permanent says that it stays until it is deleted.
	Permanent bool
	Since     time.Time // the zero time when not known
	By        string    // who made it: a login name, the policy's ban block, or "" when not known
	Reason    string    // "" when none was given or it is no longer known
}

// Kernel is the part of *nft.Conn that bans need.
type Kernel interface {
	TimedSets() ([]nft.TimedSet, error)
	TimedElements(nft.TimedSet) ([]nft.TimedElement, error)
	HoldsTimed(nft.TimedSet, netip.Addr) (bool, error)
	CommitTimed([]nft.TimedStep) error
}

// ErrNotApplied says that the kernel has no place for the bans asked for.
var ErrNotApplied = errors.New("not in the kernel")

// NotBannedError says which of the sources to delete are not banned. Nothing was changed.
type NotBannedError struct {
	Place   Place
	Missing []Missing
}

// Missing is a source that is not banned by itself.
type Missing struct {
	Span
	Within Span // a wider ban that it lies in; not valid when there is none
}

func (e *NotBannedError) Error() string {
	return fmt.Sprintf("not banned in %s: %s; nothing was changed", e.Place, someOf(e.Missing, func(m Missing) string {
		if m.Within.First.IsValid() {
			return fmt.Sprintf("%s (it lies in %s, which is)", m.Span, m.Within)
		}
		return m.Span.String()
	}))
}

// shown bounds how many items an error names.
const shown = 5

// someOf names the first items and counts the others.
func someOf[T any](items []T, text func(T) string) string {
	parts := make([]string, 0, shown+1)
	for _, x := range items[:min(len(items), shown)] {
		parts = append(parts, text(x))
	}
	list := strings.Join(parts, ", ")
	if more := len(items) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
