package nft

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

func decodeChain(f *fields) (enforcer.Chain, error) {
	c := enforcer.Chain{Name: f.str(unix.NFTA_CHAIN_NAME)}
	if !f.have[unix.NFTA_CHAIN_HOOK] {
		return c, nil
	}
	hook, err := parseFields(f.data[unix.NFTA_CHAIN_HOOK])
	if err != nil {
		return c, err
	}
	c.Hook = hookName(hook.u32(unix.NFTA_HOOK_HOOKNUM))
	c.Priority = int32(hook.u32(unix.NFTA_HOOK_PRIORITY))
	var odd []string
	if t := f.str(unix.NFTA_CHAIN_TYPE); t != filterChain {
		odd = append(odd, "type "+t)
	}
	if p := f.u32(unix.NFTA_CHAIN_POLICY); p != nfAccept {
		odd = append(odd, policyName(p))
	}
	if hook.have[nftaHookDev] {
		odd = append(odd, "device "+hook.str(nftaHookDev))
	} else if hook.have[nftaHookDevs] {
		odd = append(odd, "devices")
	}
	c.Foreign = strings.Join(odd, ", ")
	return c, nil
}

// hookName gives nft's name for a hook of the inet family (enum nf_inet_hooks).
func hookName(number uint32) enforcer.Hook {
	switch number {
	case unix.NF_INET_PRE_ROUTING:
		return enforcer.HookPrerouting
	case unix.NF_INET_LOCAL_IN:
		return enforcer.HookInput
	case unix.NF_INET_FORWARD:
		return enforcer.HookForward
	case unix.NF_INET_LOCAL_OUT:
		return "output"
	case unix.NF_INET_POST_ROUTING:
		return "postrouting"
	case unix.NF_INET_NUMHOOKS:
		return "ingress"
	}
	return enforcer.Hook(fmt.Sprint("hook ", number))
}

func policyName(p uint32) string {
	if p == nfDrop {
		return "policy drop"
	}
	return fmt.Sprint("policy ", p)
}

// decodeRule keeps the expressions in a form that can be sent again. They are copied: the message's buffer is used again.
func decodeRule(f *fields) (r enforcer.Rule, err error) {
	r.Handle = f.u64(unix.NFTA_RULE_HANDLE)
	r.Comment = decodeComment(f.data[unix.NFTA_RULE_USERDATA])
	r.Address = addressOf(r.Comment)
	if r.Wire, err = resendable(f.data[unix.NFTA_RULE_EXPRESSIONS]); err != nil {
		return r, err
	}
	r.Canon, err = Canon(r.Wire)
	return r, err
}

// decodeSet describes a set; known is false for one that cannot be described in full.
func decodeSet(f *fields) (s enforcer.Set, known bool) {
	flags := f.u32(unix.NFTA_SET_FLAGS)
	s = enforcer.Set{
		Name:     f.str(unix.NFTA_SET_NAME),
		Interval: flags&unix.NFT_SET_INTERVAL != 0,
		Verdicts: flags&unix.NFT_SET_MAP != 0 && f.u32(unix.NFTA_SET_DATA_TYPE) == verdictDataType,
		Dynamic:  flags&unix.NFT_SET_EVAL != 0,
		Count:    -1,
	}
	if f.have[nftaSetCount] {
		s.Count = int(f.u32(nftaSetCount))
	}
	if ms := f.u64(unix.NFTA_SET_TIMEOUT); ms < uint64(maxTimeout/time.Millisecond) {
		s.Timeout = time.Duration(ms) * time.Millisecond
	}
	s.Expires = flags&unix.NFT_SET_TIMEOUT != 0 && s.Timeout == 0
	known = !f.more
	if f.have[unix.NFTA_SET_DESC] {
		desc, err := parseFields(f.data[unix.NFTA_SET_DESC])
		s.Size = desc.u32(unix.NFTA_SET_DESC_SIZE)
		known = known && err == nil
	}
	var ok bool
	if s.Key, ok = keyTypes(f.u32(unix.NFTA_SET_KEY_TYPE), int(f.u32(unix.NFTA_SET_KEY_LEN))); !ok {
		known = false
	}
	known = known && flags&^uint32(setFlagsWeDescribe) == 0 && flags == setFlags(&s) &&
		!f.have[unix.NFTA_SET_OBJ_TYPE] && !f.have[nftaSetExpr] && !f.have[nftaSetExpressions] &&
		f.u32(unix.NFTA_SET_POLICY) == setPolicyPerforming && f.u32(unix.NFTA_SET_GC_INTERVAL) == 0
	return s, known
}

// maxTimeout is far above what a set may have, and keeps a hostile number from overflowing.
const maxTimeout = 1 << 62
