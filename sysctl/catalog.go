package sysctl

import (
	"math"
	"slices"
	"strings"
)

// Kind says what the value of a key is made of.
type Kind string

// The kinds of values.
const (
	Integer   Kind = "integer"     // one number
	Boolean   Kind = "boolean"     // 0 or 1
	Enum      Kind = "enumeration" // a number with a meaning for each value
	Bitmask   Kind = "bitmask"     // a number; Max holds the bits that have a meaning
	Integers  Kind = "integers"    // Fields numbers
	PortRange Kind = "port range"  // first and last port
	PortList  Kind = "port list"   // numbers and ranges with commas between them, replaced as a whole by a write
	Name      Kind = "name"        // one word
	Names     Kind = "names"       // words; their order has no meaning
)

// Scope says whose a value is, and what a child network namespace shows of it.
type Scope string

// The scopes of keys.
const (
	PerNamespace    Scope = "namespace"     // each network namespace has its own, writable value
	ReadOnlyInChild Scope = "initial-shown" // the initial namespace's value, which others can read
	InitialOnly     Scope = "initial"       // the initial namespace's value, missing in others
	Host            Scope = "host"          // one value, visible and writable from every network namespace
)

// Entry is what is known of one key, or of one key of every interface.
type Entry struct {
	Key       string // normal form; "*" stands for an interface, "all" or "default"
	Kind      Kind
	Min, Max  int64 // of each number, inclusive; a bitmask's Max is the mask
	Fields    int   // how many fields the value has; 0 for lists of any length
	Ascending bool  // the fields must not fall
	Unit      string
	Scope     Scope
	ReadOnly  bool   // the kernel only shows it
	Since     string // the first kernel that has it; "" when older than Linux 5.0
	Until     string // the last kernel that has it; "" when there is none
	Module    string // the module that has to be loaded; "" when built in
	Does      string // what the key sets
	Risk      string // what a bad value costs
}

// maxInt is the largest value of the kernel's int.
const maxInt = math.MaxInt32

// maxSeconds is the largest number of seconds that fits the kernel's tick counter (int) at every tick rate, up to 1000 Hz:
// proc_dointvec_jiffies refuses more.
const maxSeconds = math.MaxInt32 / 1000

// maxMillis and minMillis are whole ticks at every tick rate, so the kernel rounds neither.
const (
	maxMillis = math.MaxInt32 / 100 * 100
	minMillis = 20
)

// Catalog gives every known key, sorted.
func Catalog() []Entry { return slices.Clone(catalog) }

// catalog is sorted by key. It is only read.
var catalog = assemble()

func assemble() []Entry {
	all := slices.Concat(coreKeys, queueKeys, connectionKeys, transportKeys, windowKeys, memoryKeys, ipKeys, routeKeys, icmpKeys,
		conf4Keys, conf6Keys, neighborKeys(), conntrackKeys, conntrackTimeoutKeys, hostKeys)
	for i := range all {
		all[i] = complete(all[i])
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// complete fills in what follows from the rest, so that the tables hold only what is particular.
func complete(e Entry) Entry {
	switch e.Kind {
	case Boolean:
		e.Min, e.Max = 0, 1
	case PortRange:
		e.Min, e.Max, e.Fields, e.Ascending = 1, 65535, 2, true
	case PortList, Names:
		return e
	}
	if e.Fields == 0 {
		e.Fields = 1
	}
	return e
}

// Lookup finds what is known of a key in normal form.
func Lookup(key string) (Entry, bool) {
	for _, k := range []string{key, pattern(key)} {
		i, ok := slices.BinarySearchFunc(catalog, k, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
		if ok {
			return catalog[i], true
		}
	}
	return Entry{}, false
}

// pattern replaces the interface in a key such as net.ipv4.conf.eth0.rp_filter with "*".
func pattern(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) == 5 && parts[0] == "net" && (parts[2] == "conf" || parts[2] == "neigh") {
		parts[3] = "*"
	}
	return strings.Join(parts, ".")
}

// HostWide says whether a key has one value for the whole machine, so that writing it from a network namespace would
// change others or is refused. Of the keys outside the catalog, those below net are taken to belong to a namespace.
func HostWide(key string) bool {
	if e, ok := Lookup(key); ok {
		return e.Scope != PerNamespace
	}
	return !strings.HasPrefix(key, "net.")
}
