package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
)

// marked is a list's set as its marker records it.
type marked struct{ address, set, digest string }

// markOf reads a marker rule's comment: "list.blocklist v4.net 1000000 <32 hex digits>".
func markOf(r enforcer.Rule) (marked, bool) {
	words := strings.Fields(r.Comment)
	if len(words) != 4 || !isDigest(words[3]) {
		return marked{}, false
	}
	return marked{address: words[0], set: words[0] + "." + words[1], digest: words[3]}, true
}

// lost gives the sets that a transaction would change and whose present content is known to nobody: too big to be read
// from the kernel, and with no file under the digest of their marker. A failed apply cannot put them back.
func (c contents) lost(before *enforcer.Ruleset, tx *enforcer.Transaction) []marked {
	touched := map[string]bool{}
	for i := range tx.Ops {
		switch op := &tx.Ops[i]; {
		case op.Set != nil:
			touched[op.Set.Name] = true
		case op.InSet != nil:
			touched[op.InSet.Name] = true
		}
	}
	listed := map[string]bool{}
	for i := range before.Sets {
		listed[before.Sets[i].Name] = before.Sets[i].Listed
	}
	var out []marked
	for i := range before.Chains {
		for _, r := range before.Chains[i].Rules {
			m, ok := markOf(r)
			if !ok || !touched[m.set] || listed[m.set] {
				continue
			}
			if _, known := c.Part(m.digest); !known {
				out = append(out, m)
			}
		}
	}
	return out
}

// withoutMarkers is a ruleset in which the given sets have no marker, so that nobody takes their content for known: a
// marker must never name what its set does not hold.
func withoutMarkers(r *enforcer.Ruleset, lost []marked) *enforcer.Ruleset {
	if len(lost) == 0 {
		return r
	}
	out := *r
	out.Chains = slices.Clone(r.Chains)
	for i := range out.Chains {
		c := &out.Chains[i]
		c.Rules = slices.DeleteFunc(slices.Clone(c.Rules), func(r enforcer.Rule) bool {
			m, ok := markOf(r)
			return ok && slices.Contains(lost, m)
		})
	}
	return &out
}

// noteLost warns, in the change of each list, that it could not be put back.
func noteLost(changes []Change, lost []marked) {
	for i := range changes {
		for _, m := range lost {
			if changes[i].Address == m.address {
				changes[i].Notes = append(changes[i].Notes,
					fmt.Sprintf("the present content of %s is not known: if the apply fails it cannot be put back", m.set))
			}
		}
	}
}
