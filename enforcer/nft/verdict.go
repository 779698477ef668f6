package nft

import (
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// verdictCode gives the kernel's number for a verdict (enum nft_verdicts, NF_ACCEPT, NF_DROP).
func verdictCode(v enforcer.Verdict) (int32, error) {
	jumps := v.Kind == enforcer.Goto || v.Kind == enforcer.Jump
	if jumps != (v.Chain != "") {
		return 0, fmt.Errorf("verdict %q with chain %q", v.Kind, v.Chain)
	}
	switch v.Kind {
	case enforcer.Accept:
		return int32(expr.VerdictAccept), nil
	case enforcer.Drop:
		return int32(expr.VerdictDrop), nil
	case enforcer.Return:
		return int32(expr.VerdictReturn), nil
	case enforcer.Goto:
		return int32(expr.VerdictGoto), nil
	case enforcer.Jump:
		return int32(expr.VerdictJump), nil
	}
	return 0, fmt.Errorf("unknown verdict %q", v.Kind)
}

// decodeVerdict reads an NFTA_DATA_VERDICT. It gives nil for one this package has no word for.
func decodeVerdict(b []byte) (*enforcer.Verdict, error) {
	f, err := parseFields(b)
	if err != nil {
		return nil, err
	}
	v := &enforcer.Verdict{Chain: f.str(unix.NFTA_VERDICT_CHAIN)}
	switch expr.VerdictKind(int32(f.u32(unix.NFTA_VERDICT_CODE))) {
	case expr.VerdictAccept:
		v.Kind = enforcer.Accept
	case expr.VerdictDrop:
		v.Kind = enforcer.Drop
	case expr.VerdictReturn:
		v.Kind = enforcer.Return
	case expr.VerdictGoto:
		v.Kind = enforcer.Goto
	case expr.VerdictJump:
		v.Kind = enforcer.Jump
	default:
		return nil, nil
	}
	if _, err := verdictCode(*v); err != nil || !f.have[unix.NFTA_VERDICT_CODE] {
		return nil, nil
	}
	return v, nil
}

// verdict writes an NFTA_SET_ELEM_DATA that holds a verdict.
func (w *wire) verdict(v enforcer.Verdict) error {
	code, err := verdictCode(v)
	if err != nil {
		return err
	}
	data := w.nest(unix.NFTA_SET_ELEM_DATA)
	nest := w.nest(unix.NFTA_DATA_VERDICT)
	w.u32(unix.NFTA_VERDICT_CODE, uint32(code))
	if v.Chain != "" {
		w.str(unix.NFTA_VERDICT_CHAIN, v.Chain)
	}
	w.end(nest)
	w.end(data)
	return nil
}
