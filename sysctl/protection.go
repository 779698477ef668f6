package sysctl

import (
	"fmt"
	"slices"

	"github.com/tcpguard/tcpguard/policy"
)

// A need is what a protection cannot work without.
type need struct {
	key    string
	want   string
	bound  policy.Bound
	reason string
}

// challengeNeeds are what a synproxy needs (net/netfilter/nf_synproxy_core.c) and what keeps forged SYNs from using up
// an innocent's share.
func challengeNeeds() []need {
	return []need{
		{"net.netfilter.nf_conntrack_tcp_loose", "0", policy.Exact,
			"challenges: conntrack must not take the answer to a challenge for a connection it had missed"},
		{"net.netfilter.nf_conntrack_tcp_timeout_syn_recv", "10", policy.AtMost,
			"challenges: what forged SYNs took of a source's share drains in 10 s"},
		{"net.ipv4.tcp_synack_retries", "2", policy.AtMost,
			"challenges: each SYN-ACK that is sent again renews a forged SYN's entry in conntrack"},
		{"net.ipv4.tcp_syncookies", "1", policy.AtLeast, "challenges are SYN cookies"},
		{"net.ipv4.tcp_timestamps", "1", policy.AtLeast, "cookies carry window scaling and SACK in the timestamp"},
	}
}

// Protections gives the settings that the policies' syn_flood blocks cannot work without, each derived for the first
// policy that needs it. Keys of conntrack that this kernel does not have yet are skipped with a note.
func Protections(policies []policy.Policy) []Setting {
	var settings []Setting
	for _, p := range policies {
		if p.SYNFlood == nil || p.Mode != policy.ModeEnforce {
			continue
		}
		var needs []need
		switch {
		case p.SYNFlood.Protect.Challenges():
			needs = challengeNeeds()
		case p.SYNFlood.Protect == policy.ProtectCookies:
			needs = []need{{"net.ipv4.tcp_syncookies", "1", policy.AtLeast, `protect = "cookies"`}}
		}
		for _, n := range needs {
			if slices.ContainsFunc(settings, func(s Setting) bool { return s.Key == n.key }) {
				continue
			}
			settings = append(settings, Setting{
				Key: n.key, Want: []string{n.want}, Bound: n.bound, OnMissing: policy.MissingSkip, OnRemove: policy.RemoveRestore,
				Reason: n.reason, Address: "policy." + p.Name + ".syn_flood", Range: p.SYNFlood.Range,
			})
		}
	}
	return settings
}

// mergeNeed lets a setting that somebody wrote down hold, and names it when the protection cannot work with it.
func mergeNeed(own, derived Setting) *Note {
	if Satisfies(own.Key, derived.Bound, derived.Want, own.Want) {
		return nil
	}
	text := fmt.Sprintf("%s is declared as %s, %s%s needs %s %s (%s): only what is declared holds",
		own.Key, quote(own.Want), derived.Address, at(derived.Range), boundText(derived.Bound), quote(derived.Want), derived.Reason)
	return &Note{Address: own.Address, Key: own.Key, Text: text, Range: own.Range}
}

func boundText(b policy.Bound) string {
	switch b {
	case policy.AtLeast:
		return "at least"
	case policy.AtMost:
		return "at most"
	default:
		return "exactly"
	}
}
