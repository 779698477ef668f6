package nft

import (
	"golang.org/x/sys/unix"
)

// Attribute types that golang.org/x/sys/unix does not name, from include/uapi/linux/netfilter/nf_tables.h.
const (
	nftaBitwiseOp         = 6
	nftaBitwiseData       = 7
	nftaDynsetExpressions = 10
	nftaConnlimitFlags    = 2
	nftaCounterPad        = 3
	nftaLimitPad          = 6
	nftaQuotaPad          = 3
	nftaQuotaConsumed     = 4
	nftaLastSet           = 1
	nftaLastMsecs         = 2
	nftaNumgenOffset      = 4
)

// expressionRoles describes the attributes of expressions by name. It is only read: a table is made once, because every
// rule of every plan passes through it.
var expressionRoles = map[string]roles{
	"cmp":       {unix.NFTA_CMP_DATA: value},
	"immediate": {unix.NFTA_IMMEDIATE_DATA: value},
	"bitwise": {unix.NFTA_BITWISE_MASK: value, unix.NFTA_BITWISE_XOR: value, nftaBitwiseOp: defaultZero,
		nftaBitwiseData: value},
	"range":  {unix.NFTA_RANGE_FROM_DATA: value, unix.NFTA_RANGE_TO_DATA: value},
	"lookup": {unix.NFTA_LOOKUP_SET: text, unix.NFTA_LOOKUP_SET_ID: volatile, unix.NFTA_LOOKUP_FLAGS: defaultZero},
	"dynset": {unix.NFTA_DYNSET_SET_NAME: text, unix.NFTA_DYNSET_SET_ID: volatile, unix.NFTA_DYNSET_TIMEOUT: defaultZero,
		unix.NFTA_DYNSET_PAD: volatile, unix.NFTA_DYNSET_FLAGS: defaultZero, unix.NFTA_DYNSET_EXPR: expression,
		nftaDynsetExpressions: expressions},
	"connlimit": {nftaConnlimitFlags: defaultZero},
	"limit":     {unix.NFTA_LIMIT_TYPE: defaultZero, unix.NFTA_LIMIT_FLAGS: defaultZero, nftaLimitPad: volatile},
	"counter":   {unix.NFTA_COUNTER_BYTES: volatile, unix.NFTA_COUNTER_PACKETS: volatile, nftaCounterPad: volatile},
	"quota":     {nftaQuotaConsumed: volatile, nftaQuotaPad: volatile},
	"last":      {nftaLastSet: volatile, nftaLastMsecs: volatile},
	"objref":    {unix.NFTA_OBJREF_IMM_NAME: text, unix.NFTA_OBJREF_SET_NAME: text, unix.NFTA_OBJREF_SET_ID: volatile},
	"reject":    {unix.NFTA_REJECT_ICMP_CODE: defaultZero},
	"fib":       {unix.NFTA_FIB_FLAGS: defaultZero},
	"log": {unix.NFTA_LOG_PREFIX: text, unix.NFTA_LOG_LEVEL: defaultZero, unix.NFTA_LOG_FLAGS: defaultZero,
		unix.NFTA_LOG_SNAPLEN: defaultZero, unix.NFTA_LOG_QTHRESHOLD: defaultZero},
	"numgen":   {nftaNumgenOffset: defaultZero},
	"ct":       {},
	"meta":     {},
	"payload":  {},
	"synproxy": {},
	"notrack":  {},
}

// rolesOf gives the roles of an expression's attributes; nil for an expression to be compared as it is.
func rolesOf(name string) func(uint16) role {
	r, known := expressionRoles[name]
	if !known {
		return nil
	}
	return r.of
}

// roles is a table of what to do with attributes by type; those not in it are compared as they are.
type roles map[uint16]role

func (r roles) of(typ uint16) role { return r[typ] }

func valueRoles(typ uint16) role {
	if typ == unix.NFTA_DATA_VERDICT {
		return verdict
	}
	return asIs
}

func verdictRoles(typ uint16) role {
	switch typ {
	case unix.NFTA_VERDICT_CODE:
		return asIs
	case unix.NFTA_VERDICT_CHAIN:
		return text
	}
	return volatile // a chain's id in its batch
}
