package nft

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// correctCount makes Count the number of ranges in a large list. The kernel gives half the number of elements in the
// tree (nft_rbtree_usize), rounded down, and a range that reaches to the last key has no end element, so that one is
// missing then. (A set loaded by nft has an end element before its first range as well, which no look-up finds: with
// such a last range it seems to hold one more than it does, and is taken for edited.)
func (c *Conn) correctCount(s *enforcer.Set) error {
	_, length, err := keySpec(s.Key)
	if s.Count < 0 || shapeOf(s) != startAndEnd || s.Dynamic || err != nil {
		return nil
	}
	open, err := c.holds(s.Name, bytes.Repeat([]byte{0xff}, length))
	if open {
		s.Count++
	}
	return err
}

// holds says whether one of a set's ranges has the key.
func (c *Conn) holds(set string, key []byte) (found bool, err error) {
	err = c.request(unix.NFT_MSG_GETSETELEM, 0, func(w *wire) {
		w.table()
		w.str(unix.NFTA_SET_ELEM_LIST_SET, set)
		list := w.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
		at := w.nest(unix.NFTA_LIST_ELEM)
		w.key(unix.NFTA_SET_ELEM_KEY, key)
		w.end(at)
		w.end(list)
	}, func([]byte) error {
		found = true
		return nil
	})
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return found, err
}
