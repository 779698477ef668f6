package status

import (
	"cmp"
	"slices"
	"strings"
)

// The names of tables that are looked at by name.
const (
	tableBan       = "ban"
	tableBanRanges = "ban.net"
	tableShadow    = "shadow"
)

// family gives the word for a part of a set's name that stands for a family, else "".
func family(part string) string {
	switch part {
	case "v4":
		return "ipv4"
	case "v6":
		return "ipv6"
	case "total":
		return "total"
	}
	return ""
}

// objectOf splits the name of a policy's kernel object, "policy.web.ban.added", into the policy's name and the rest.
// Names of policies have no dots.
func objectOf(object string) (policy, rest string, ok bool) {
	name, ok := strings.CutPrefix(object, "policy.")
	policy, rest, _ = strings.Cut(name, ".")
	return policy, rest, ok && policy != ""
}

// tableOf reads what is behind the policy in the name of a set: "connection_limit.v4.3622931a" is the connection_limit's
// for IPv4. The hash of a meter's parameters means nothing to a person.
func tableOf(rest string) (name, fam string) {
	var parts []string
	for _, part := range strings.Split(rest, ".") {
		switch {
		case family(part) != "" && fam == "":
			fam = family(part)
		case !isHash(part):
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "."), fam
}

func isHash(part string) bool {
	return len(part) == 8 && strings.Trim(part, "0123456789abcdef") == ""
}

// order is that in which the kernel asks a policy's blocks.
func order() []string {
	return []string{
		"ban", "deny", "only", "syn_flood.hot", "syn_flood.challenged", "syn_flood.excess", "syn_flood.invalid",
		"connection_limit", "connection_limit.full", "rate_limit", "rate_limit.full", "ban.added", "ban.full",
	}
}

// byOrder compares reasons by that order; what it does not know comes last.
func byOrder() func(a, b string) int {
	ranks := map[string]int{}
	for i, reason := range order() {
		ranks[reason] = i - len(order())
	}
	return func(a, b string) int { return cmp.Or(cmp.Compare(ranks[a], ranks[b]), cmp.Compare(a, b)) }
}

func sortTables(tables []Table) {
	slices.SortFunc(tables, func(a, b Table) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Set, b.Set))
	})
}
