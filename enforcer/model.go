// Package enforcer knows what the kernel's packet filter should look like. Compile turns a policy.Bundle into a
// Ruleset, Diff compares two of them, Text prints one as nft would list it. All are pure: they take values and return
// values. Only enforcer/nft talks to the kernel.
package enforcer

import (
	"time"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// TableName is the only table tcpguard ever touches, in the inet family.
const TableName = "tcpguard"

// Ruleset is one nft table in normal form. The desired state (from Compile) and the actual state (from nft.Read) are
// the same type, so that comparing them compares like with like. Names are unique within their kind. Counters, sets
// and chains are sorted by name; the rules of a chain are in evaluation order.
type Ruleset struct {
	// Exists says that the table is there. A desired Ruleset without it asks for the table's removal.
	Exists    bool
	Counters  []Counter
	Sets      []Set
	Chains    []Chain
	Resources []Resource // what the objects belong to; only in a desired Ruleset
	// Flags are the table's NFT_TABLE_F_* bits: 1 dormant, 2 owned by a process, 4 outlives its owner. Adding the table
	// again wakes a dormant one. A desired Ruleset has none.
	Flags uint32
	// Foreign are objects in the table of kinds that tcpguard never makes. A desired Ruleset has none.
	Foreign []Foreign
}

// Foreign is an object of a kind that tcpguard never makes, which somebody put into its table.
type Foreign struct {
	Kind string // "flowtable", or "object 5" with the kernel's NFT_OBJECT_* number
	Name string
}

// Resource is one thing a policy file declares, with the stable address that plans, logs, metrics and rule comments
// use. Every object of a desired Ruleset carries the address of exactly one Resource.
type Resource struct {
	Address    string // "policy.web", "policy.web.connection_limit", "list.blocklist", "management", "pipeline"
	Attributes []Attribute
	Range      policy.Range
}

// Attribute is one declared value of a Resource, as text a person would write.
type Attribute struct {
	Name  string
	Value string
	// Restarts is set when changing this attribute makes the kernel count anew.
	Restarts bool
}

// Counter is a named counter object. Named counters survive a chain's rules being replaced; inline ones do not.
type Counter struct {
	Name    string
	Address string
	Packets uint64 // live; never compared
	Bytes   uint64 // live; never compared
}

// KeyType is one field of a set's key, named as nft names it.
type KeyType string

// The key fields in use. Widths in bytes: 4, 16, 2, 16, 1.
const (
	KeyIPv4    KeyType = "ipv4_addr"
	KeyIPv6    KeyType = "ipv6_addr"
	KeyPort    KeyType = "inet_service"
	KeyIfname  KeyType = "ifname"
	KeyL4Proto KeyType = "inet_proto"
)

// Set is a named set or verdict map.
type Set struct {
	Name     string
	Address  string
	Key      []KeyType     // more than one: a concatenation
	Verdicts bool          // a verdict map
	Interval bool          // keys are ranges
	Dynamic  bool          // filled by rules: a meter. Its elements are live state, never read nor compared
	Timeout  time.Duration // of elements that come without one of their own; 0: they stay
	Expires  bool          // elements may bring a timeout of their own; implied by Timeout
	Size     uint32        // most elements; 0: not bounded

	// Elements is the content of a small static set or map, sorted by key.
	Elements []Element
	// Listed says that Elements is the whole content as read from the kernel. Set by nft.Read only, for static sets
	// small enough to dump.
	Listed bool
	// Members is the content of a list's set; nil for every other set. It is never read back from the kernel.
	Members *addrset.Part
	// Count is how many elements the kernel says the set holds, -1 when it did not say. Set by nft.Read only.
	Count int
	// Raw is the wire form of the specification as the kernel dumped it, when this package has no words for it (a
	// foreign key type or flag). Such a set never equals a desired one.
	Raw []byte
}

// Live says that the content is state and not declared: what rules have counted, and bans. It is neither read back nor
// compared, and it stays when the set's size changes.
func (s *Set) Live() bool { return s.Dynamic || s.Expires || s.Timeout > 0 }

// Element is one entry of a small static set or map. Key is the fields' wire bytes, each field padded to four bytes
// when there is more than one; KeyEnd is the closing key of a range, equal in length, or nil for a single key.
type Element struct {
	Address string // the declaration it serves; only in a desired Ruleset
	Key     []byte
	KeyEnd  []byte
	Verdict *Verdict // only in a verdict map
}

// Chain is a base chain when Hook is not empty, else one that others jump to.
type Chain struct {
	Name     string
	Address  string
	Hook     Hook
	Priority int32
	Rules    []Rule
	// Foreign says in words how the chain differs from all that tcpguard makes ("policy drop", "type nat", "device
	// eth0"), in which case it must be deleted and made anew. Set by nft.Read only.
	Foreign string
}

// Hook is where a base chain is called, as nft names it; every base chain is of type filter with policy accept.
type Hook string

// The hooks in use.
const (
	NoHook         Hook = ""
	HookPrerouting Hook = "prerouting"
	HookInput      Hook = "input"
	HookForward    Hook = "forward"
	HookOutput     Hook = "output"
)

// Rule is a list of statements. A desired rule has Statements, from which nft.Normalize makes Wire and Canon; an
// actual rule has only Wire and Canon. Rules are equal when their Canon and Comment are.
type Rule struct {
	Address string
	// Comment is stored in the rule's user data and shown by nft. It starts with the address.
	Comment    string
	Statements []Statement
	Wire       []byte // NFTA_RULE_EXPRESSIONS payload that the kernel accepts
	Handle     uint64 // the kernel's number for it, unique in the table; set by nft.Read only, never compared
	Canon      []byte // the same without what the kernel fills in or counts, for comparing
}

// Marker is the content of a list as recorded in the kernel beside its sets, in a rule that nothing jumps to, because
// reading a million elements back costs the kernel a quadratic walk.
type Marker struct {
	Digest string // hex SHA-256 of the normal form
	Count  int
}
