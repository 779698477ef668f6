package nft

import (
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// attackStatement encodes the statements of the pipeline that meets a SYN flood.
func (e *ruleEncoder) attackStatement(s enforcer.Statement) error {
	switch s := s.(type) {
	case enforcer.MatchUnproven:
		e.ctState(expr.CtStateBitINVALID | expr.CtStateBitUNTRACKED)
	case enforcer.MatchInvalid:
		e.ctState(expr.CtStateBitINVALID)
	case enforcer.MatchTranslated:
		const dstNAT = 1 << 5 // IPS_DST_NAT
		e.add(&expr.Ct{Key: expr.CtKeySTATUS, Register: work}, mask(work, native(dstNAT)),
			&expr.Cmp{Op: expr.CmpOpNeq, Register: work, Data: native(0)})
	case enforcer.MatchACK:
		return e.flags(false, tcpSYN|tcpRST|tcpACK, tcpACK)
	case enforcer.MatchProxyAnswer:
		return e.proxyAnswer()
	case enforcer.MatchFamily:
		if s.IPv6 {
			return e.network(unix.NFPROTO_IPV6)
		}
		return e.network(unix.NFPROTO_IPV4)
	case enforcer.MatchLocalSource:
		e.add(&expr.Fib{Register: work, ResultADDRTYPE: true, FlagSADDR: true}, compare(s.Negate, native(unix.RTN_LOCAL)))
	case enforcer.Sample:
		e.add(&expr.Numgen{Register: work, Modulus: s.Of, Type: unix.NFT_NG_RANDOM}, compare(false, native(0)))
	case enforcer.Limit:
		e.add(limitExpr(s.LimitOver, !s.Under))
	case enforcer.Remember:
		return e.remember(s)
	case enforcer.NoTrack:
		e.add(&expr.Notrack{})
	case enforcer.SynProxy:
		// The expression asks for TCP by itself; nft puts no match before it.
		e.add(&expr.SynProxy{
			Mss: s.MSS, MssValueSet: true, Wscale: s.WScale, WscaleValueSet: true, Timestamp: s.Timestamp, SackPerm: s.SACK,
		})
	case enforcer.LogPacket:
		return e.log(s)
	default:
		return fmt.Errorf("no encoding for statement %T", s)
	}
	return nil
}

func (e *ruleEncoder) proxyAnswer() error {
	if err := e.transport(unix.IPPROTO_TCP); err != nil {
		return err
	}
	header := func(offset, size uint32) *expr.Payload {
		return &expr.Payload{DestRegister: work, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: size}
	}
	e.add(header(tcpFlagsByte, 1), mask(work, []byte{tcpFIN | tcpSYN | tcpRST | tcpACK}), compare(false, []byte{tcpSYN | tcpACK}),
		header(tcpWindowWord, 2), compare(false, []byte{0, 0}))
	return nil
}

// tcpWindowWord is the window's offset in the TCP header.
const tcpWindowWord = 14

func limitExpr(l enforcer.LimitOver, over bool) *expr.Limit {
	return &expr.Limit{Type: expr.LimitTypePkts, Rate: l.Rate, Over: over, Unit: expr.LimitTime(l.Unit), Burst: l.Burst}
}

func (e *ruleEncoder) remember(s enforcer.Remember) error {
	if err := e.load([]enforcer.Field{s.Field}); err != nil {
		return err
	}
	d := &expr.Dynset{SrcRegKey: work, SetName: s.Set, Operation: unix.NFT_DYNSET_OP_ADD, Timeout: s.Timeout}
	if s.Update {
		d.Operation = unix.NFT_DYNSET_OP_UPDATE
	}
	e.add(d)
	return nil
}

// maxLogPrefix is NF_LOG_PREFIXLEN without its terminating zero.
const maxLogPrefix = 127

func (e *ruleEncoder) log(s enforcer.LogPacket) error {
	if len(s.Prefix) > maxLogPrefix {
		return fmt.Errorf("log prefix of %d bytes, the kernel holds %d", len(s.Prefix), maxLogPrefix)
	}
	l := &expr.Log{Key: 1 << unix.NFTA_LOG_PREFIX, Data: []byte(s.Prefix)}
	if s.Nflog {
		l.Key |= 1 << unix.NFTA_LOG_GROUP
		l.Group = s.Group
	} else {
		// The kernel's default, which it also shows when nobody set it.
		l.Key |= 1 << unix.NFTA_LOG_LEVEL
		l.Level = expr.LogLevelWarning
	}
	e.add(l)
	return nil
}
