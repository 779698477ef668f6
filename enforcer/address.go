package enforcer

import "strings"

// addressOf gives the declaration that an object of our table serves, from its name alone: names start with the
// address. What has no such name is the pipeline's.
func addressOf(name string) string {
	parts := strings.Split(strings.TrimPrefix(name, markerPrefix), ".")
	switch {
	case len(parts) >= 3 && parts[0] == "policy" && ownBlock(parts[2]):
		return strings.Join(parts[:3], ".")
	case len(parts) >= 2 && (parts[0] == "policy" || parts[0] == "list"):
		return strings.Join(parts[:2], ".")
	case parts[0] == managementAddress:
		return managementAddress
	default:
		return pipelineAddress
	}
}

// ownBlock says that a policy's block or argument has an address of its own.
func ownBlock(name string) bool {
	switch name {
	case "connection_limit", "rate_limit", "allow", "deny", "only", "syn_flood", "ban":
		return true
	default:
		return false
	}
}

// orAddressOf prefers the recorded address: names tell it only of objects that were read from the kernel.
func orAddressOf(address, name string) string {
	if address != "" {
		return address
	}
	return addressOf(name)
}
