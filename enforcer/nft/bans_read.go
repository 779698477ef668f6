package nft

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// TimedSets gives the sets of our table whose entries are single addresses or ranges that may end by themselves,
// sorted by name, or ErrNoTable.
func (c *Conn) TimedSets() ([]TimedSet, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.request(unix.NFT_MSG_GETTABLE, 0, (*wire).table, func([]byte) error { return nil })
	if errors.Is(err, unix.ENOENT) {
		return nil, ErrNoTable
	}
	var sets []TimedSet
	if err == nil {
		err = c.dump(unix.NFT_MSG_GETSET, (*wire).table, func(f *fields, _ []byte) error {
			if s, known := decodeSet(f); known && s.Expires && !s.Verdicts && len(s.Key) == 1 &&
				(s.Key[0] == enforcer.KeyIPv4 || s.Key[0] == enforcer.KeyIPv6) {
				sets = append(sets, TimedSet{Name: s.Name, IPv6: s.Key[0] == enforcer.KeyIPv6, Ranges: s.Interval, Size: s.Size})
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read sets of table %s: %w", enforcer.TableName, err)
	}
	slices.SortFunc(sets, func(a, b TimedSet) int { return cmp.Compare(a.Name, b.Name) })
	return sets, nil
}

// TimedElements gives what a set holds, sorted by address. A dump that a commit overtook is silently wrong, so it is
// bracketed by the generation and repeated, and ErrBusy after ten attempts. (What rules themselves add or refresh in
// the meantime changes no generation and may or may not be in it.) The kernel's dump of a hash table costs more than
// linear time: 100,000 elements take a fraction of a second, a million many seconds.
func (c *Conn) TimedElements(s TimedSet) ([]TimedElement, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for attempt := range readAttempts {
		before, err := c.generation()
		if err != nil {
			return nil, fmt.Errorf("read nftables generation: %w", err)
		}
		entries, err := c.timedEntries(s)
		after, genErr := c.generation()
		switch {
		case genErr != nil:
			return nil, fmt.Errorf("read nftables generation: %w", genErr)
		case before != after || errors.Is(err, errInterrupted):
			time.Sleep(time.Duration(attempt+1) * readPause)
		case err != nil:
			return nil, fmt.Errorf("read set %s: %w", s.Name, err)
		default:
			return timedElements(entries, s.Ranges), nil
		}
	}
	return nil, fmt.Errorf("read set %s: %w", s.Name, ErrBusy)
}

func (c *Conn) timedEntries(s TimedSet) ([]timedEntry, error) {
	var entries []timedEntry
	err := c.request(unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, func(w *wire) {
		w.table()
		w.str(unix.NFTA_SET_ELEM_LIST_SET, s.Name)
	}, func(body []byte) error {
		return eachAttr(body, func(typ uint16, list []byte) error {
			if typ != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				return nil
			}
			return eachAttr(list, func(_ uint16, data []byte) error {
				e, ok, err := decodeTimed(data)
				if ok {
					entries = append(entries, e)
				}
				return err
			})
		})
	})
	return entries, err
}

// timedElements puts the entries of a dump together. The kernel leaves out the start of a range whose time is up, but
// not its end: ends that close nothing are skipped. A hash table that grows while it is walked may show an entry twice.
func timedElements(entries []timedEntry, ranges bool) []TimedElement {
	// A range's end comes before the start of the next one when they touch.
	slices.SortFunc(entries, func(a, b timedEntry) int {
		return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(btoi(b.end), btoi(a.end)))
	})
	list := make([]TimedElement, 0, len(entries))
	open := false
	for _, e := range entries {
		last := len(list) - 1
		switch {
		case e.end && open:
			list[last].Last, open = e.addr.Prev(), false
		case e.end:
		case last >= 0 && list[last].First == e.addr:
		default:
			list = append(list, TimedElement{First: e.addr, Last: e.addr, Timeout: e.timeout, Left: e.left})
			open = ranges
		}
	}
	if open {
		last := &list[len(list)-1]
		last.Last = lastAddr(last.First)
	}
	return list
}

// lastAddr is the last address of an address's family.
func lastAddr(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{0xff, 0xff, 0xff, 0xff})
	}
	return lastAddr6().Addr()
}

// HoldsTimed says whether a set of single addresses holds one.
func (c *Conn) HoldsTimed(s TimedSet, a netip.Addr) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, err := c.holds(s.Name, a.AsSlice())
	if err != nil {
		return false, fmt.Errorf("look up %v in set %s: %w", a, s.Name, err)
	}
	return found, nil
}
