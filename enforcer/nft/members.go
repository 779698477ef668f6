package nft

import (
	"encoding/binary"
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/addrset"
)

// Bytes that one element takes besides its key: LIST_ELEM, KEY and VALUE headers; and what an end adds: its flags.
const (
	elemOverhead = 3 * unix.NLA_HDRLEN
	endFlags     = unix.NLA_HDRLEN + 4
	openFlags    = unix.NLA_HDRLEN + 8 // user data of six bytes, padded
)

// memberSize is the most bytes one member of a part takes on the wire: an address, or a range with its end.
func memberSize(p *addrset.Part) int {
	switch p.Kind {
	case addrset.Addrs4:
		return elemOverhead + 4
	case addrset.Ranges4:
		return 2*(elemOverhead+4) + endFlags
	case addrset.Addrs6:
		return elemOverhead + 16
	default:
		return 2*(elemOverhead+16) + endFlags
	}
}

// checkMembers says whether the part is what the set is for.
func checkMembers(s *enforcer.Set, p *addrset.Part) error {
	want, ranges := enforcer.KeyIPv4, p.Kind == addrset.Ranges4 || p.Kind == addrset.Ranges6
	if p.Kind == addrset.Addrs6 || p.Kind == addrset.Ranges6 {
		want = enforcer.KeyIPv6
	}
	if len(s.Key) != 1 || s.Key[0] != want || s.Interval != ranges || s.Verdicts {
		return fmt.Errorf("set %s cannot hold members of kind %d", s.Name, p.Kind)
	}
	return nil
}

// members writes the members from the first to before the last given. Measuring does not walk over them: all but an
// open range have the same size.
func (w *wire) members(p *addrset.Part, first, last int) {
	if w.buf == nil {
		w.n += (last - first) * memberSize(p)
		if last > first && isOpen(p, last-1) {
			w.n += openFlags + memberSize(p)/2 - memberSize(p) - endFlags/2
		}
		return
	}
	for i := first; i < last; i++ {
		switch p.Kind {
		case addrset.Addrs4:
			w.member4(p.Addrs4[i], false, false)
		case addrset.Ranges4:
			r := p.Ranges4[i]
			w.member4(r.Lo, false, r.Hi == math.MaxUint32)
			if r.Hi != math.MaxUint32 {
				w.member4(r.Hi+1, true, false)
			}
		case addrset.Addrs6:
			w.member6(p.Addrs6[i], false, false)
		default:
			r := p.Ranges6[i]
			open := r.Hi == lastAddr6()
			w.member6(r.Lo, false, open)
			if !open {
				w.member6(next6(r.Hi), true, false)
			}
		}
	}
}

// isOpen says that a range reaches to the last address there is, so that it has no end element.
func isOpen(p *addrset.Part, i int) bool {
	switch p.Kind {
	case addrset.Ranges4:
		return p.Ranges4[i].Hi == math.MaxUint32
	case addrset.Ranges6:
		return p.Ranges6[i].Hi == lastAddr6()
	}
	return false
}

func lastAddr6() addrset.Addr6 { return addrset.Addr6{Hi: math.MaxUint64, Lo: math.MaxUint64} }

func next6(a addrset.Addr6) addrset.Addr6 {
	a.Lo++
	if a.Lo == 0 {
		a.Hi++
	}
	return a
}

func (w *wire) member4(a uint32, end, open bool) {
	at := w.beginMember(end)
	key := w.nest(unix.NFTA_SET_ELEM_KEY)
	binary.BigEndian.PutUint32(w.attr(unix.NFTA_DATA_VALUE, 4), a)
	w.endMember(at, key, open)
}

func (w *wire) member6(a addrset.Addr6, end, open bool) {
	at := w.beginMember(end)
	key := w.nest(unix.NFTA_SET_ELEM_KEY)
	b := w.attr(unix.NFTA_DATA_VALUE, 16)
	binary.BigEndian.PutUint64(b, a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	w.endMember(at, key, open)
}

func (w *wire) beginMember(end bool) (at int) {
	at = w.nest(unix.NFTA_LIST_ELEM)
	if end {
		w.u32(unix.NFTA_SET_ELEM_FLAGS, nftSetElemFlagEnd)
	}
	return at
}

func (w *wire) endMember(at, key int, open bool) {
	w.end(key)
	if open {
		w.openEnd()
	}
	w.end(at)
}
