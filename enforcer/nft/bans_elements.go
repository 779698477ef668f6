package nft

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// TimedSet is a set of our table whose entries may end by themselves: the bans of the host or of a policy. What it
// holds is live state, which no plan compares.
type TimedSet struct {
	Name   string
	IPv6   bool   // else IPv4
	Ranges bool   // an interval set: entries are ranges, which never overlap
	Size   uint32 // most elements, a range being two; 0: not bounded
}

// TimedElement is an address, or a range of addresses, and how long the kernel keeps it.
type TimedElement struct {
	First, Last netip.Addr // equal for a single address
	// Timeout is how long it is kept from when it was added, in whole milliseconds; 0: until it is deleted.
	Timeout time.Duration
	// Left is what remains of Timeout. In a step, 0 stands for all of it.
	Left time.Duration
}

// String gives the address, or first-last.
func (e TimedElement) String() string {
	if e.First == e.Last {
		return e.First.String()
	}
	return e.First.String() + "-" + e.Last.String()
}

// Create adds elements that must not be there yet: one that is has the kernel refuse the transaction with EEXIST.
const Create enforcer.Verb = "create"

// TimedStep adds or creates elements of a set, deletes them from it, or empties it (Flush, without elements).
type TimedStep struct {
	Verb     enforcer.Verb
	Set      TimedSet
	Elements []TimedElement
}

// check finds what the encoder cannot put into bytes.
func (s *TimedStep) check() error {
	switch s.Verb {
	case enforcer.Add, Create, enforcer.Delete, enforcer.Flush:
	default:
		return fmt.Errorf("%s %s: unknown verb %q", s.Verb, s.Set.Name, s.Verb)
	}
	for _, e := range s.Elements {
		switch {
		case e.First.Is4() == s.Set.IPv6 || e.Last.Is4() == s.Set.IPv6 || e.Last.Less(e.First):
			return fmt.Errorf("%s %s: %v: not a range of the set's address family", s.Verb, s.Set.Name, e)
		case e.First != e.Last && !s.Set.Ranges:
			return fmt.Errorf("%s %s: %v: the set holds single addresses", s.Verb, s.Set.Name, e)
		case e.Timeout < 0 || e.Left < 0 || e.Left > e.Timeout:
			return fmt.Errorf("%s %s: %v: %v left of %v", s.Verb, s.Set.Name, e, e.Left, e.Timeout)
		}
	}
	return nil
}

// timeAttr is what a time takes: its attribute header and 64 bits.
const timeAttr = unix.NLA_HDRLEN + 8

// timedSize is the most bytes an element of the set takes.
func timedSize(s TimedSet) int {
	key := 4
	if s.IPv6 {
		key = 16
	}
	size := elemOverhead + key + 2*timeAttr
	if s.Ranges {
		size += elemOverhead + key + max(endFlags, openFlags)
	}
	return size
}

// timed writes an element; of a range the start carries the times, as nft does it, and the kernel lets the end go with
// it (nft_rbtree_gc).
func (w *wire) timed(s TimedSet, e TimedElement, times bool) {
	at := w.nest(unix.NFTA_LIST_ELEM)
	w.addr(e.First)
	if times && e.Timeout > 0 {
		w.u64(unix.NFTA_SET_ELEM_TIMEOUT, uint64(e.Timeout.Milliseconds()))
		if e.Left > 0 {
			w.u64(unix.NFTA_SET_ELEM_EXPIRATION, uint64(max(e.Left.Milliseconds(), 1)))
		}
	}
	end := e.Last.Next() // invalid behind the last address there is
	if s.Ranges && !end.IsValid() {
		w.openEnd()
	}
	w.end(at)
	if s.Ranges && end.IsValid() {
		at = w.nest(unix.NFTA_LIST_ELEM)
		w.u32(unix.NFTA_SET_ELEM_FLAGS, nftSetElemFlagEnd)
		w.addr(end)
		w.end(at)
	}
}

// addr writes an address as an element's key, without allocating.
func (w *wire) addr(a netip.Addr) {
	at := w.nest(unix.NFTA_SET_ELEM_KEY)
	if a.Is4() {
		b := a.As4()
		copy(w.attr(unix.NFTA_DATA_VALUE, len(b)), b[:])
	} else {
		b := a.As16()
		copy(w.attr(unix.NFTA_DATA_VALUE, len(b)), b[:])
	}
	w.end(at)
}

// timedEntry is one element of the wire.
type timedEntry struct {
	addr          netip.Addr
	end           bool // closes the range before it: the address behind its last
	timeout, left time.Duration
}

// decodeTimed reads one element of a dump. ok is false for one whose key is not an address.
func decodeTimed(b []byte) (e timedEntry, ok bool, err error) {
	err = eachAttr(b, func(typ uint16, data []byte) error {
		switch typ {
		case unix.NFTA_SET_ELEM_KEY:
			return eachAttr(data, func(typ uint16, data []byte) error {
				if typ == unix.NFTA_DATA_VALUE {
					e.addr, ok = netip.AddrFromSlice(data)
				}
				return nil
			})
		case unix.NFTA_SET_ELEM_FLAGS:
			flags, _ := attrU32(data)
			e.end = flags&nftSetElemFlagEnd != 0
		case unix.NFTA_SET_ELEM_TIMEOUT:
			e.timeout = milliseconds(data)
		case unix.NFTA_SET_ELEM_EXPIRATION:
			e.left = milliseconds(data)
		}
		return nil
	})
	return e, ok, err
}

// milliseconds reads a time; one that no time.Duration can hold is as good as none.
func milliseconds(b []byte) time.Duration {
	const most = uint64(1<<63-1) / uint64(time.Millisecond)
	if len(b) != 8 {
		return 0
	}
	if v := binary.BigEndian.Uint64(b); v <= most {
		return time.Duration(v) * time.Millisecond
	}
	return 0
}

// refusedAt finds the element of a message that stands at an offset, which the kernel gives where it objects to one.
func refusedAt(message []byte, offset int) (netip.Addr, bool) {
	const headers = unix.SizeofNlMsghdr + 4
	var found netip.Addr
	if offset < headers || len(message) < headers {
		return found, false
	}
	// The message is our own: it is not malformed.
	_ = eachAttr(message[headers:], func(typ uint16, list []byte) error {
		if typ != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			return nil
		}
		begin := len(message) - len(list) // it is the last attribute
		return eachAttr(list, func(_ uint16, element []byte) error {
			if begin += unix.NLA_HDRLEN + align(len(element)); !found.IsValid() && offset < begin {
				e, _, err := decodeTimed(element)
				found = e.addr
				return err
			}
			return nil
		})
	})
	return found, found.IsValid()
}
