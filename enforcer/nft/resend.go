package nft

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// resendable makes the expressions of a dump acceptable to the kernel again. Only one thing it shows it would refuse: a
// rule that fills a set is dumped with a timeout of zero, which nft_dynset_init takes for a timeout and answers with
// EOPNOTSUPP when the set has none.
func resendable(list []byte) ([]byte, error) {
	w := wire{}
	if err := w.expressions(list); err != nil {
		return nil, err
	}
	w = wire{buf: make([]byte, w.n)}
	return w.buf, w.expressions(list)
}

func (w *wire) expressions(list []byte) error {
	return eachAttr(list, func(typ uint16, data []byte) error {
		f, err := parseFields(data)
		if err != nil {
			return err
		}
		if f.str(unix.NFTA_EXPR_NAME) != "dynset" {
			w.bytes(typ|unix.NLA_F_NESTED, data)
			return nil
		}
		at := w.nest(typ)
		w.bytes(unix.NFTA_EXPR_NAME, f.data[unix.NFTA_EXPR_NAME])
		body := w.nest(unix.NFTA_EXPR_DATA)
		err = eachAttr(f.data[unix.NFTA_EXPR_DATA], func(typ uint16, data []byte) error {
			if typ != unix.NFTA_DYNSET_PAD && (typ != unix.NFTA_DYNSET_TIMEOUT || len(bytes.Trim(data, "\x00")) > 0) {
				w.bytes(typ, data)
			}
			return nil
		})
		w.end(body)
		w.end(at)
		return err
	})
}
