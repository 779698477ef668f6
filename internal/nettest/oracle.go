package nettest

import (
	"encoding/json"
	"net"
	"strings"
)

// NftList is how nft(8) lists the namespace's rules: `nft -s list ruleset`, or the given object, as in
// NftList(t, ns, "table", "inet", "tcpguard"). Counts and other live state are left out. An object that is not there
// is the empty text.
func NftList(t T, ns *NS, object ...string) string {
	t.Helper()
	NeedProgram(t, "nft")
	if len(object) == 0 {
		object = []string{"ruleset"}
	}
	out, err := ns.Exec(t, append([]string{"nft", "-s", "list"}, object...)...)
	if err != nil {
		if strings.Contains(err.Error(), "No such file or directory") {
			return ""
		}
		t.Fatalf("%v", err)
	}
	return out
}

// NftLoad loads text as `nft -f` does, in one transaction.
func NftLoad(t T, ns *NS, text string) {
	t.Helper()
	NeedProgram(t, "nft")
	if _, err := ns.Run(t, Command{Stdin: text, Argv: []string{"nft", "-f", "-"}}); err != nil {
		t.Fatalf("%v", err)
	}
}

// Counters reads the packets that each named counter of table inet tcpguard has counted, by nft, or those of the given
// inet table. Without the table the map is empty.
func Counters(t T, ns *NS, table ...string) map[string]uint64 {
	t.Helper()
	NeedProgram(t, "nft")
	name := "tcpguard"
	if len(table) > 0 {
		name = table[0]
	}
	out, err := ns.Exec(t, "nft", "-j", "list", "counters", "table", "inet", name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var listing struct {
		Nftables []struct {
			Counter *struct {
				Name    string
				Packets uint64
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &listing); err != nil {
		t.Fatalf("read nft's counters: %v", err)
	}
	counters := make(map[string]uint64)
	for _, object := range listing.Nftables {
		if object.Counter != nil {
			counters[object.Counter.Name] = object.Counter.Packets
		}
	}
	return counters
}

// HardwareAddr is the interface's link-layer address.
func (e End) HardwareAddr(t T) (address net.HardwareAddr) {
	t.Helper()
	e.NS.Do(t, func() { address = e.link(t).Attrs().HardwareAddr })
	return address
}

// Index is the interface's index in its namespace.
func (e End) Index(t T) (index int) {
	t.Helper()
	e.NS.Do(t, func() { index = e.link(t).Attrs().Index })
	return index
}

// NftFlush empties the namespace's ruleset, as another tool's `flush ruleset` does.
func NftFlush(t T, ns *NS) {
	t.Helper()
	NftLoad(t, ns, "flush ruleset\n")
}
