package status

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/policy"
)

// inputMaps begin the names of the verdict maps that lead TCP connections to this host to their policy.
const inputMaps = "input.tcp."

// heldPorts finds the ports of the policies that guard this host in the kernel's verdict maps, sorted, for when the
// policy files do not tell.
func heldPorts(rs *enforcer.Ruleset) map[string][]policy.PortRange {
	ports := map[string][]policy.PortRange{}
	for i := range rs.Sets {
		s := &rs.Sets[i]
		at, ok := portOffset(s)
		if !ok || !strings.HasPrefix(s.Name, inputMaps) {
			continue
		}
		for _, e := range s.Elements {
			if e.Verdict == nil || len(e.Key) < at+2 {
				continue
			}
			r := policy.PortRange{First: binary.BigEndian.Uint16(e.Key[at:])}
			r.Last = r.First
			if len(e.KeyEnd) >= at+2 {
				r.Last = binary.BigEndian.Uint16(e.KeyEnd[at:])
			}
			if name, _, ok := objectOf(e.Verdict.Chain); ok && !slices.Contains(ports[name], r) {
				ports[name] = append(ports[name], r)
			}
		}
	}
	for _, list := range ports {
		slices.SortFunc(list, func(a, b policy.PortRange) int {
			return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
		})
	}
	return ports
}

// portOffset is where in a verdict map's keys the port stands. Fields of a concatenation are padded to four bytes.
func portOffset(s *enforcer.Set) (offset int, ok bool) {
	widths := map[enforcer.KeyType]int{
		enforcer.KeyIPv4: 4, enforcer.KeyIPv6: 16, enforcer.KeyPort: 4, enforcer.KeyIfname: 16, enforcer.KeyL4Proto: 4,
	}
	for _, k := range s.Key {
		if k == enforcer.KeyPort {
			return offset, s.Verdicts
		}
		offset += widths[k]
	}
	return 0, false
}
