package sysctl

import (
	"fmt"
	"strings"

	"github.com/tcpguard/tcpguard/policy"
)

// Text prints settings as a sysctl.d file that sysctl(8) and systemd-sysctl read. Such a file knows no bounds, so a floor
// or a ceiling is written as the value itself, with its bound in the comment above; a key that may be missing gets the
// "-" that makes it optional (sysctl(8) of procps 4.0 sets the others, but still fails for a key that is missing).
func Text(settings []Setting) string {
	var b strings.Builder
	for i, s := range settings {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# %s\n", comment(s))
		if s.OnMissing == policy.MissingSkip {
			b.WriteByte('-')
		}
		fmt.Fprintf(&b, "%s = %s\n", s.Key, strings.TrimSuffix(encode(s.Key, s.Want), "\n"))
	}
	return b.String()
}

// comment is "capacity (web.hcl:3): at_least, 500000 connections, 160 MiB".
func comment(s Setting) string {
	text := s.Address + at(s.Range)
	var parts []string
	if s.Bound != policy.Exact {
		parts = append(parts, string(s.Bound))
	}
	if s.Reason != "" {
		parts = append(parts, s.Reason)
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return strings.ReplaceAll(text, "\n", " ")
}
