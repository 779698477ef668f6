package nft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// A ruleEncoder turns statements into the expressions that nft 1.0.6 makes of the same text, including the matches on
// network and transport protocol that nft puts before whatever depends on them and hides again when listing.
type ruleEncoder struct {
	exprs []expr.Any
	l3    byte // NFPROTO_* the rule has matched so far, 0: none
	l4    byte // IPPROTO_* the rule has matched so far, 0: none
}

// work is the register every single value goes through, as in nft.
const work = unix.NFT_REG_1

func (e *ruleEncoder) add(x ...expr.Any) { e.exprs = append(e.exprs, x...) }

func (e *ruleEncoder) statement(s enforcer.Statement) error {
	switch s := s.(type) {
	case enforcer.MatchEstablished:
		e.ctState(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	case enforcer.MatchLoopback:
		e.add(&expr.Meta{Key: expr.MetaKeyIIF, Register: work}, compare(s.Negate, native(1)))
	case enforcer.MatchSYN:
		return e.flags(s.Negate, tcpFIN|tcpSYN|tcpRST|tcpACK, tcpSYN)
	case enforcer.MatchLocal:
		e.add(&expr.Fib{Register: work, ResultADDRTYPE: true, FlagDADDR: true}, compare(s.Negate, native(unix.RTN_LOCAL)))
	case enforcer.MatchSet:
		if err := e.load(s.Fields); err != nil {
			return err
		}
		e.add(&expr.Lookup{SourceRegister: work, SetName: s.Set, Invert: s.Negate})
	case enforcer.VerdictMap:
		if err := e.load(s.Fields); err != nil {
			return err
		}
		e.add(&expr.Lookup{SourceRegister: work, SetName: s.Map, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true})
	case enforcer.Meter:
		return e.meter(s)
	case enforcer.Count:
		e.add(&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: s.Counter})
	case enforcer.ResetTCP:
		return e.reset()
	case enforcer.Verdict:
		return e.verdict(s)
	default:
		return e.attackStatement(s)
	}
	return nil
}

// compare matches the working register against a value.
func compare(negate bool, value []byte) *expr.Cmp {
	op := expr.CmpOpEq
	if negate {
		op = expr.CmpOpNeq
	}
	return &expr.Cmp{Op: op, Register: work, Data: value}
}

// native is a number as the kernel holds those it makes itself: interface indexes, conntrack states, route types.
func native(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// mask keeps the given bits of a register.
func mask(register uint32, bits []byte) *expr.Bitwise {
	return &expr.Bitwise{SourceRegister: register, DestRegister: register, Len: uint32(len(bits)), Mask: bits, Xor: make([]byte, len(bits))}
}

func (e *ruleEncoder) ctState(bits uint32) {
	e.add(&expr.Ct{Key: expr.CtKeySTATE, Register: work}, mask(work, native(bits)), compare(true, native(0)))
}

// The bits of the TCP header's flags byte.
const (
	tcpFIN       = 0x01
	tcpSYN       = 0x02
	tcpRST       = 0x04
	tcpACK       = 0x10
	tcpFlagsByte = 13 // offset in the TCP header
)

// flags compares the TCP flags that of names.
func (e *ruleEncoder) flags(negate bool, of, want byte) error {
	if err := e.transport(unix.IPPROTO_TCP); err != nil {
		return err
	}
	e.add(&expr.Payload{DestRegister: work, Base: expr.PayloadBaseTransportHeader, Offset: tcpFlagsByte, Len: 1},
		mask(work, []byte{of}), compare(negate, []byte{want}))
	return nil
}

func (e *ruleEncoder) meter(m enforcer.Meter) error {
	if err := e.load([]enforcer.Field{m.Field}); err != nil {
		return err
	}
	d := &expr.Dynset{SrcRegKey: work, SetName: m.Set, Operation: unix.NFT_DYNSET_OP_ADD}
	if m.Update {
		d.Operation = unix.NFT_DYNSET_OP_UPDATE
	}
	switch {
	case m.ConnectionsOver > 0 && m.Over == nil && !m.Packets:
		d.Exprs = []expr.Any{&expr.Connlimit{Count: m.ConnectionsOver, Flags: expr.NFT_CONNLIMIT_F_INV}}
	case m.ConnectionsOver == 0 && m.Over != nil && !m.Packets:
		d.Exprs = []expr.Any{&expr.Limit{Type: expr.LimitTypePkts, Rate: m.Over.Rate, Over: true,
			Unit: expr.LimitTime(m.Over.Unit), Burst: m.Over.Burst}}
	case m.Packets && m.ConnectionsOver == 0 && m.Over == nil:
		d.Exprs = []expr.Any{&expr.Counter{}}
	default:
		return fmt.Errorf("meter %s: exactly one of a connection limit, a rate and a counter", m.Set)
	}
	e.add(d)
	return nil
}

// reset needs TCP. nft puts the match for it at the head of the rule when the rule has none of its own.
func (e *ruleEncoder) reset() error {
	switch e.l4 {
	case unix.IPPROTO_TCP:
	case 0:
		e.exprs = append(matchMeta(expr.MetaKeyL4PROTO, unix.IPPROTO_TCP), e.exprs...)
		e.l4 = unix.IPPROTO_TCP
	default:
		return errors.New("only TCP can be reset")
	}
	e.add(&expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
	return nil
}

func (e *ruleEncoder) verdict(v enforcer.Verdict) error {
	code, err := verdictCode(v)
	if err != nil {
		return err
	}
	e.add(&expr.Verdict{Kind: expr.VerdictKind(code), Chain: v.Chain})
	return nil
}
