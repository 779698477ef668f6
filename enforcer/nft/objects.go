package nft

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// Attribute types and numbers of nf_tables.h that golang.org/x/sys/unix does not name.
const (
	nftaSetDescConcat   = 2
	nftaSetFieldLen     = 1
	nftaSetHandle       = 16
	nftaSetExpr         = 17
	nftaSetExpressions  = 18
	nftaSetType         = 19 // Linux 6.16
	nftaSetCount        = 20 // Linux 6.16
	nftSetConcat        = 0x80
	verdictDataType     = 0xffffff00 // NFT_DATA_VERDICT
	udataKeyByteorder   = 0          // NFTNL_UDATA_SET_KEYBYTEORDER
	byteorderHost       = 1
	byteorderBig        = 2
	nftaFlowtableTable  = 1
	nftaFlowtableName   = 2
	nftMsgDelFlowtable  = 0x18
	nftMsgGetFlowtable  = 0x17
	nfDrop              = 0 // include/uapi/linux/netfilter.h
	nfAccept            = 1
	filterChain         = "filter"
	kindFlowtable       = "flowtable"
	kindObject          = "object "
	nftaChainFlags      = 10
	chainFlagBinding    = 4 // made by nft for an anonymous chain inside a rule
	nftaHookDev         = 3
	nftaHookDevs        = 4
	setFlagAnonymous    = unix.NFT_SET_ANONYMOUS
	setFlagsWeDescribe  = unix.NFT_SET_INTERVAL | unix.NFT_SET_MAP | unix.NFT_SET_TIMEOUT | unix.NFT_SET_EVAL | nftSetConcat
	tableFlagsNone      = 0
	setPolicyPerforming = 0 // NFT_SET_POL_PERFORMANCE, the default
)

// table writes the table's name, the first attribute of every message. It has type 1 in all of them.
func (w *wire) table() { w.str(unix.NFTA_TABLE_NAME, enforcer.TableName) }

// tableSpec sends the flags although there are none: that is what wakes a dormant table.
func (w *wire) tableSpec(verb enforcer.Verb) {
	w.table()
	if verb == enforcer.Add {
		w.u32(unix.NFTA_TABLE_FLAGS, tableFlagsNone)
	}
}

func (w *wire) counterSpec(name string) {
	w.table()
	w.str(unix.NFTA_OBJ_NAME, name)
	w.u32(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER)
	w.end(w.nest(unix.NFTA_OBJ_DATA))
}

func (w *wire) chainSpec(c *enforcer.Chain, verb enforcer.Verb) error {
	w.table()
	w.str(unix.NFTA_CHAIN_NAME, c.Name)
	if c.Hook == enforcer.NoHook || verb != enforcer.Add {
		return nil
	}
	number, err := hookNumber(c.Hook)
	if err != nil {
		return err
	}
	w.str(unix.NFTA_CHAIN_TYPE, filterChain)
	w.u32(unix.NFTA_CHAIN_POLICY, nfAccept)
	at := w.nest(unix.NFTA_CHAIN_HOOK)
	w.u32(unix.NFTA_HOOK_HOOKNUM, number)
	w.u32(unix.NFTA_HOOK_PRIORITY, uint32(c.Priority))
	w.end(at)
	return nil
}

func hookNumber(h enforcer.Hook) (uint32, error) {
	switch h {
	case enforcer.HookPrerouting:
		return unix.NF_INET_PRE_ROUTING, nil
	case enforcer.HookInput:
		return unix.NF_INET_LOCAL_IN, nil
	case enforcer.HookForward:
		return unix.NF_INET_FORWARD, nil
	case enforcer.HookOutput:
		return unix.NF_INET_LOCAL_OUT, nil
	case "postrouting":
		return unix.NF_INET_POST_ROUTING, nil
	}
	return 0, fmt.Errorf("unknown hook %q", h)
}

func (w *wire) ruleSpec(r *enforcer.Rule, chain string, verb enforcer.Verb) error {
	w.table()
	w.str(unix.NFTA_RULE_CHAIN, chain)
	if verb == enforcer.Delete {
		if r.Handle == 0 {
			return errors.New("a rule is deleted by its handle, and this one has none")
		}
		w.u64(unix.NFTA_RULE_HANDLE, r.Handle)
		return nil
	}
	if len(r.Wire) == 0 {
		return errors.New("rule was not normalized")
	}
	at := w.nest(unix.NFTA_RULE_EXPRESSIONS)
	copy(w.next(len(r.Wire)), r.Wire)
	w.end(at)
	comment, err := commentData(r.Comment)
	if err == nil && comment != nil {
		w.bytes(unix.NFTA_RULE_USERDATA, comment)
	}
	return err
}

// setSpec describes a set. id must be unique in its batch and not zero: rules that name a missing set carry set id 0,
// and the kernel would take any new set of that id for the missing one (nft_set_lookup_global).
func (w *wire) setSpec(s *enforcer.Set, verb enforcer.Verb, id uint32) error {
	w.table()
	w.str(unix.NFTA_SET_NAME, s.Name)
	if verb != enforcer.Add {
		return nil
	}
	w.u32(unix.NFTA_SET_ID, id)
	if s.Raw != nil {
		return w.rawSet(s.Raw)
	}
	magic, length, err := keySpec(s.Key)
	if err != nil {
		return err
	}
	w.u32(unix.NFTA_SET_FLAGS, setFlags(s))
	w.u32(unix.NFTA_SET_KEY_TYPE, magic)
	w.u32(unix.NFTA_SET_KEY_LEN, uint32(length))
	if s.Verdicts {
		w.u32(unix.NFTA_SET_DATA_TYPE, verdictDataType)
		w.u32(unix.NFTA_SET_DATA_LEN, 0)
	}
	w.setDesc(s)
	if s.Timeout > 0 {
		// The kernel keeps it in jiffies, rounded down: multiples of 20 ms come back as they were sent whatever its HZ.
		w.u64(unix.NFTA_SET_TIMEOUT, uint64(s.Timeout.Milliseconds()))
	}
	w.bytes(unix.NFTA_SET_USERDATA, append([]byte{udataKeyByteorder, 4}, native(byteorder(s.Key))...))
	return nil
}

func setFlags(s *enforcer.Set) (flags uint32) {
	for flag, on := range map[uint32]bool{
		unix.NFT_SET_INTERVAL: s.Interval,
		nftSetConcat:          s.Interval && len(s.Key) > 1,
		unix.NFT_SET_MAP:      s.Verdicts,
		unix.NFT_SET_EVAL:     s.Dynamic,
		unix.NFT_SET_TIMEOUT:  s.Timeout > 0 || s.Expires,
	} {
		if on {
			flags |= flag
		}
	}
	return flags
}

// setDesc declares how many elements come, which sizes the hash table, and for ranges of concatenations the length of
// each field, without which the kernel could not tell them apart.
func (w *wire) setDesc(s *enforcer.Set) {
	concat := shapeOf(s) == twoKeys
	if s.Size == 0 && !concat {
		return
	}
	desc := w.nest(unix.NFTA_SET_DESC)
	if s.Size != 0 {
		w.u32(unix.NFTA_SET_DESC_SIZE, s.Size)
	}
	if concat {
		list := w.nest(nftaSetDescConcat)
		for _, k := range s.Key {
			f, _ := fieldOf(k)
			at := w.nest(unix.NFTA_LIST_ELEM)
			w.u32(nftaSetFieldLen, uint32(f.width))
			w.end(at)
		}
		w.end(list)
	}
	w.end(desc)
}

// byteorder is what nft notes in a set's user data to print its keys. A concatenation has none of its own.
func byteorder(key []enforcer.KeyType) uint32 {
	switch {
	case len(key) > 1:
		return 0
	case key[0] == enforcer.KeyIfname:
		return byteorderHost
	}
	return byteorderBig
}

// rawSet puts a foreign set's specification back as it was dumped, without what only the kernel may say.
func (w *wire) rawSet(raw []byte) error {
	return eachAttr(raw, func(typ uint16, data []byte) error {
		switch typ {
		case unix.NFTA_SET_TABLE, unix.NFTA_SET_NAME, unix.NFTA_SET_ID, nftaSetHandle, nftaSetType, nftaSetCount:
			return nil
		case unix.NFTA_SET_DESC, nftaSetExpr, nftaSetExpressions:
			typ |= unix.NLA_F_NESTED
		}
		w.bytes(typ, data)
		return nil
	})
}

// foreignSpec names an object of a kind that is only ever deleted.
func (w *wire) foreignSpec(f *enforcer.Foreign) error {
	w.table()
	if f.Kind == kindFlowtable {
		w.str(nftaFlowtableName, f.Name)
		return nil
	}
	kind, ok := strings.CutPrefix(f.Kind, kindObject)
	var number uint32
	if _, err := fmt.Sscan(kind, &number); !ok || err != nil {
		return fmt.Errorf("unknown kind of object %q", f.Kind)
	}
	w.str(unix.NFTA_OBJ_NAME, f.Name)
	w.u32(unix.NFTA_OBJ_TYPE, number)
	return nil
}
