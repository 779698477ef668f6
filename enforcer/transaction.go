package enforcer

import "github.com/tcpguard/tcpguard/internal/addrset"

// Verb is what an Op does to its object.
type Verb string

// The verbs, as nft names them.
const (
	Add    Verb = "add"
	Delete Verb = "delete"
	Flush  Verb = "flush" // a chain's rules
)

// Op is one step of a transaction: a verb and exactly one object. Address says whose declaration the step serves, so
// that a message the kernel refuses is reported with the policy line it came from.
type Op struct {
	Verb    Verb
	Address string

	Table    bool     // add or delete the table
	Counter  *Counter // add or delete
	Set      *Set     // add (without its content) or delete
	Chain    *Chain   // add or delete (without its rules), or flush
	Rule     *Rule    // add, at the end of InChain, or delete by its Handle
	InChain  string
	InSet    *Set          // the set that Elements or Members go into or leave; its specification is needed to encode them
	Elements []Element     // add or delete
	Members  *addrset.Part // add or delete
	Foreign  *Foreign      // delete
}

// Transaction is a list of steps that the kernel takes all at once or not at all.
type Transaction struct{ Ops []Op }

// Empty says that there is nothing to do.
func (t *Transaction) Empty() bool { return t == nil || len(t.Ops) == 0 }
