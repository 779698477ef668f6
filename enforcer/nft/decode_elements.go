package nft

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// maxDump is how many elements Read fetches of one set. The kernel begins every message of an element dump at the
// front of the set, so the cost grows with the square of the number.
const maxDump = 4096

// dumped says whether Read fetches a set's elements: of verdict maps always, of other sets if they are small and not
// filled by rules. A kernel before Linux 6.16 does not count, so its word is the declared size there; the set of a list
// always declares one.
func dumped(s *enforcer.Set) bool {
	switch {
	case s.Live() || s.Raw != nil:
		return false
	case s.Verdicts:
		return true
	case s.Count >= 0:
		return s.Count <= maxDump
	}
	return s.Size <= maxDump
}

// readElements turns a set that holds something foreign into a foreign set, which shows by its specification in Raw.
func (c *Conn) readElements(rs *enforcer.Ruleset, specs map[string][]byte) error {
	for i := range rs.Sets {
		s := &rs.Sets[i]
		if !dumped(s) {
			if err := c.correctCount(s); err != nil {
				return fmt.Errorf("set %s: %w", s.Name, err)
			}
			continue
		}
		var d elementDump
		err := c.request(unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, func(w *wire) {
			w.table()
			w.str(unix.NFTA_SET_ELEM_LIST_SET, s.Name)
		}, d.message)
		if err != nil {
			return fmt.Errorf("set %s: %w", s.Name, err)
		}
		var known bool
		s.Elements, known = d.elements(s)
		s.Listed = true
		if !known {
			s.Raw = specs[s.Name]
		}
	}
	return nil
}

// elementDump gathers what the kernel holds in one set.
type elementDump struct {
	entries []entry
	foreign bool // there are elements that an enforcer.Element cannot describe
}

// entry is one element of the wire.
type entry struct {
	enforcer.Element
	end bool // closes the range before it
}

// message takes in one message of the dump.
func (d *elementDump) message(body []byte) error {
	return eachAttr(body, func(typ uint16, data []byte) error {
		if typ != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			return nil
		}
		return eachAttr(data, func(_ uint16, data []byte) error {
			e, known, err := decodeElement(data)
			switch {
			case err != nil:
				return err
			case known:
				d.entries = append(d.entries, e)
			default:
				d.foreign = true
			}
			return nil
		})
	})
}

// decodeElement reads one element; known is false when it has a timeout, an expression, data that is not a verdict or
// anything else that no element of ours has.
func decodeElement(b []byte) (e entry, known bool, err error) {
	f, err := parseFields(b)
	if err != nil {
		return e, false, err
	}
	known = !f.more && f.have[unix.NFTA_SET_ELEM_KEY]
	for typ, have := range f.have {
		if !have {
			continue
		}
		data := f.data[typ]
		switch typ {
		case unix.NFTA_SET_ELEM_KEY:
			e.Key, err = decodeKey(data)
		case nftaSetElemKeyEnd:
			e.KeyEnd, err = decodeKey(data)
		case unix.NFTA_SET_ELEM_DATA:
			var v *fields
			if v, err = parseFields(data); err == nil && v.have[unix.NFTA_DATA_VERDICT] {
				e.Verdict, err = decodeVerdict(v.data[unix.NFTA_DATA_VERDICT])
			}
			known = known && e.Verdict != nil
		case unix.NFTA_SET_ELEM_FLAGS:
			flags := f.u32(unix.NFTA_SET_ELEM_FLAGS)
			e.end = flags&nftSetElemFlagEnd != 0
			known = known && flags&^uint32(nftSetElemFlagEnd) == 0
		case unix.NFTA_SET_ELEM_USERDATA, unix.NFTA_SET_ELEM_PAD:
		default:
			known = false
		}
		if err != nil {
			return e, false, err
		}
	}
	return e, known, nil
}

func decodeKey(b []byte) ([]byte, error) {
	f, err := parseFields(b)
	return bytes.Clone(f.data[unix.NFTA_DATA_VALUE]), err
}

// elements gives the set's content in the form of enforcer.Element, sorted by key. known is false if some of it has no
// such form.
func (d *elementDump) elements(s *enforcer.Set) (list []enforcer.Element, known bool) {
	known = !d.foreign
	_, length, err := keySpec(s.Key)
	if err != nil {
		return nil, false
	}
	// A range's end comes before the start of the next one when they touch.
	slices.SortFunc(d.entries, func(a, b entry) int {
		return cmp.Or(bytes.Compare(a.Key, b.Key), cmp.Compare(btoi(b.end), btoi(a.end)))
	})
	open := false // the last range in the list has no end yet
	for _, e := range d.entries {
		switch {
		case len(e.Key) != length || (e.Verdict == nil) == s.Verdicts && !e.end:
			known = false
		case e.end && open:
			list[len(list)-1].KeyEnd = predecessor(e.Key)
			open = false
		case e.end: // nft's null element in front of the first range
		default:
			if open {
				list[len(list)-1].KeyEnd = predecessor(e.Key)
			}
			list = append(list, e.Element)
			open = shapeOf(s) == startAndEnd
		}
	}
	if open {
		list[len(list)-1].KeyEnd = bytes.Repeat([]byte{0xff}, length)
	}
	normalizeElements(list)
	return list, known
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
