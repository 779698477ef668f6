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

// CountedElement is a source that rules count packets under.
type CountedElement struct {
	Addr    netip.Addr // the first address of the group that the set keeps
	Packets uint64
	Bytes   uint64
	Timeout time.Duration // how long it is kept from when a rule last refreshed it; 0: for good
	Left    time.Duration // what remains of Timeout
}

// nftaSetElemExpressions lists the expressions of an element that has several (Linux 5.11); one stands in
// NFTA_SET_ELEM_EXPR (nft_set_elem_expr_dump).
const nftaSetElemExpressions = 11

// exprCounter is the name of the expression that counts (nft_counter.c).
const exprCounter = "counter"

// CountedElements gives the elements of a set of addresses whose elements carry a counter, sorted by address. The dump
// is bracketed by the generation, and ErrBusy after ten attempts that commits overtook; packets count on meanwhile. A
// full set of 65536 sources takes up to half a second. A set that is not there has no elements.
func (c *Conn) CountedElements(set *enforcer.Set) ([]CountedElement, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for attempt := range readAttempts {
		before, err := c.generation()
		if err != nil {
			return nil, fmt.Errorf("read nftables generation: %w", err)
		}
		list, err := c.countedElements(set)
		after, genErr := c.generation()
		switch {
		case genErr != nil:
			return nil, fmt.Errorf("read nftables generation: %w", genErr)
		case before != after || errors.Is(err, errInterrupted):
			time.Sleep(time.Duration(attempt+1) * readPause)
		case errors.Is(err, unix.ENOENT):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("read set %s: %w", set.Name, err)
		default:
			return list, nil
		}
	}
	return nil, fmt.Errorf("read set %s: %w", set.Name, ErrBusy)
}

func (c *Conn) countedElements(set *enforcer.Set) (list []CountedElement, err error) {
	err = c.eachElement(set.Name, func(data []byte) error {
		e, ok, err := decodeCounted(data)
		if ok {
			// The kernel tells only a time that is not the set's (nf_tables_fill_setelem).
			if e.Timeout == 0 && e.Left > 0 {
				e.Timeout = set.Timeout
			}
			list = append(list, e)
		}
		return err
	})
	// A hash table that grows while it is walked may show an element twice; the later one has counted more.
	slices.SortFunc(list, func(a, b CountedElement) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(b.Packets, a.Packets))
	})
	return slices.CompactFunc(list, func(a, b CountedElement) bool { return a.Addr == b.Addr }), err
}

// decodeCounted reads one element of a dump. ok is false for one whose key is not an address.
func decodeCounted(b []byte) (e CountedElement, ok bool, err error) {
	timed, ok, err := decodeTimed(b)
	if err != nil || !ok || timed.end {
		return e, false, err
	}
	e.Addr, e.Timeout, e.Left = timed.addr, timed.timeout, timed.left
	err = eachAttr(b, func(typ uint16, data []byte) error {
		switch typ {
		case unix.NFTA_SET_ELEM_EXPR:
			return e.counter(data)
		case nftaSetElemExpressions:
			return eachAttr(data, func(_ uint16, data []byte) error { return e.counter(data) })
		}
		return nil
	})
	return e, true, err
}

// counter takes in an expression if it is a counter.
func (e *CountedElement) counter(expression []byte) error {
	f, err := parseFields(expression)
	if err != nil || f.str(unix.NFTA_EXPR_NAME) != exprCounter {
		return err
	}
	data, err := parseFields(f.data[unix.NFTA_EXPR_DATA])
	if err == nil {
		e.Packets, e.Bytes = data.u64(unix.NFTA_COUNTER_PACKETS), data.u64(unix.NFTA_COUNTER_BYTES)
	}
	return err
}
