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

// rolesOf describes the attributes of an expression by name; nil for an expression to be compared as it is.
func rolesOf(name string) func(uint16) role {
	switch name {
	case "cmp":
		return roles{unix.NFTA_CMP_DATA: value}.of
	case "immediate":
		return roles{unix.NFTA_IMMEDIATE_DATA: value}.of
	case "bitwise":
		return roles{unix.NFTA_BITWISE_MASK: value, unix.NFTA_BITWISE_XOR: value, nftaBitwiseOp: defaultZero,
			nftaBitwiseData: value}.of
	case "range":
		return roles{unix.NFTA_RANGE_FROM_DATA: value, unix.NFTA_RANGE_TO_DATA: value}.of
	case "lookup":
		return roles{unix.NFTA_LOOKUP_SET: text, unix.NFTA_LOOKUP_SET_ID: volatile, unix.NFTA_LOOKUP_FLAGS: defaultZero}.of
	case "dynset":
		return roles{unix.NFTA_DYNSET_SET_NAME: text, unix.NFTA_DYNSET_SET_ID: volatile, unix.NFTA_DYNSET_TIMEOUT: defaultZero,
			unix.NFTA_DYNSET_PAD: volatile, unix.NFTA_DYNSET_FLAGS: defaultZero, unix.NFTA_DYNSET_EXPR: expression,
			nftaDynsetExpressions: expressions}.of
	case "connlimit":
		return roles{nftaConnlimitFlags: defaultZero}.of
	case "limit":
		return roles{unix.NFTA_LIMIT_TYPE: defaultZero, unix.NFTA_LIMIT_FLAGS: defaultZero, nftaLimitPad: volatile}.of
	case "counter":
		return roles{unix.NFTA_COUNTER_BYTES: volatile, unix.NFTA_COUNTER_PACKETS: volatile, nftaCounterPad: volatile}.of
	case "quota":
		return roles{nftaQuotaConsumed: volatile, nftaQuotaPad: volatile}.of
	case "last":
		return roles{nftaLastSet: volatile, nftaLastMsecs: volatile}.of
	case "objref":
		return roles{unix.NFTA_OBJREF_IMM_NAME: text, unix.NFTA_OBJREF_SET_NAME: text, unix.NFTA_OBJREF_SET_ID: volatile}.of
	case "reject":
		return roles{unix.NFTA_REJECT_ICMP_CODE: defaultZero}.of
	case "fib":
		return roles{unix.NFTA_FIB_FLAGS: defaultZero}.of
	case "log":
		return roles{unix.NFTA_LOG_PREFIX: text, unix.NFTA_LOG_LEVEL: defaultZero, unix.NFTA_LOG_FLAGS: defaultZero,
			unix.NFTA_LOG_SNAPLEN: defaultZero, unix.NFTA_LOG_QTHRESHOLD: defaultZero}.of
	case "numgen":
		return roles{nftaNumgenOffset: defaultZero}.of
	case "ct", "meta", "payload", "synproxy", "notrack":
		return roles{}.of
	}
	return nil
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
