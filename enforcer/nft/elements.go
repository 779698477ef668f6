package nft

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// Attribute types and flags that golang.org/x/sys/unix does not name.
const (
	nftaSetElemKeyEnd = 10
	nftSetElemFlagEnd = unix.NFT_SET_ELEM_INTERVAL_END
	maxNest           = 65535 - unix.NLA_HDRLEN // payload of an attribute, whose length has 16 bits
	udataElemFlags    = 1                       // NFTNL_UDATA_SET_ELEM_FLAGS
	udataElemOpen     = 1                       // NFTNL_SET_ELEM_F_INTERVAL_OPEN
)

// A ruleset's elements, small or many, reach the kernel as keys of one of three shapes: the key alone; for an interval
// set of single fields (a tree) a start and, one past the last key, an element flagged as end; for an interval set of
// concatenations two keys in one element (NFTA_SET_ELEM_KEY_END, Linux 5.6).
type shape int

const (
	single shape = iota
	startAndEnd
	twoKeys
)

func shapeOf(s *enforcer.Set) shape {
	switch {
	case !s.Interval:
		return single
	case len(s.Key) > 1:
		return twoKeys
	}
	return startAndEnd
}

func sortElements(elements []enforcer.Element) {
	slices.SortFunc(elements, func(a, b enforcer.Element) int { return bytes.Compare(a.Key, b.Key) })
}

// checkElement finds what the encoder cannot put into bytes; the kernel judges the rest.
func checkElement(s *enforcer.Set, e *enforcer.Element, verb enforcer.Verb) error {
	_, length, err := keySpec(s.Key)
	switch {
	case err != nil:
		return err
	case len(e.Key) != length || e.KeyEnd != nil && len(e.KeyEnd) != length:
		return fmt.Errorf("element %x-%x: the set's keys have %d bytes", e.Key, e.KeyEnd, length)
	case e.KeyEnd != nil && !s.Interval:
		return fmt.Errorf("element %x-%x: not an interval set", e.Key, e.KeyEnd)
	case verb == enforcer.Add && (e.Verdict != nil) != s.Verdicts:
		return errors.New("verdicts belong into verdict maps, and only there")
	}
	return nil
}

// element writes one entry, which takes one or two elements of the wire.
func (w *wire) element(s *enforcer.Set, e *enforcer.Element, verb enforcer.Verb) error {
	last := e.KeyEnd
	if last == nil {
		last = e.Key
	}
	at := w.nest(unix.NFTA_LIST_ELEM)
	w.key(unix.NFTA_SET_ELEM_KEY, e.Key)
	if shapeOf(s) == twoKeys {
		w.key(nftaSetElemKeyEnd, last)
	}
	if e.Verdict != nil && verb == enforcer.Add {
		if err := w.verdict(*e.Verdict); err != nil {
			return err
		}
	}
	var end []byte
	if shapeOf(s) == startAndEnd {
		if end = successor(last); end == nil {
			w.openEnd()
		}
	}
	w.end(at)
	if end != nil {
		at = w.nest(unix.NFTA_LIST_ELEM)
		w.u32(unix.NFTA_SET_ELEM_FLAGS, nftSetElemFlagEnd)
		w.key(unix.NFTA_SET_ELEM_KEY, end)
		w.end(at)
	}
	return nil
}

func (w *wire) key(typ uint16, key []byte) {
	at := w.nest(typ)
	w.bytes(unix.NFTA_DATA_VALUE, key)
	w.end(at)
}

// openEnd marks the start of a range that ends with the last possible key, as nft does; such a range has no end
// element, because no key comes after it.
func (w *wire) openEnd() {
	w.bytes(unix.NFTA_SET_ELEM_USERDATA, append([]byte{udataElemFlags, 4}, native(udataElemOpen)...))
}

// successor is the key after the given one, nil after the last.
func successor(key []byte) []byte {
	next := slices.Clone(key)
	for i := len(next) - 1; i >= 0; i-- {
		next[i]++
		if next[i] != 0 {
			return next
		}
	}
	return nil
}

// predecessor is the key before the given one, nil before the first.
func predecessor(key []byte) []byte {
	prev := slices.Clone(key)
	for i := len(prev) - 1; i >= 0; i-- {
		prev[i]--
		if prev[i] != 0xff {
			return prev
		}
	}
	return nil
}
