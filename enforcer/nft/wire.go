package nft

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A wire lays netlink messages out in a buffer. Without a buffer it only measures, so that the same code first says
// how many bytes a batch needs and then fills exactly that many: a large batch is never grown, hence never copied.
type wire struct {
	buf []byte // zeroed; nil: measure only
	n   int    // bytes laid out
}

// next takes k bytes, padded to four. It returns nil while measuring.
func (w *wire) next(k int) []byte {
	at := w.n
	w.n += align(k)
	if w.buf == nil {
		return nil
	}
	return w.buf[at : at+k]
}

// align rounds up to a multiple of four bytes, as NLA_ALIGN and NLMSG_ALIGN do.
func align(n int) int { return (n + 3) &^ 3 }

// attr takes an attribute of size payload bytes and returns the payload, nil while measuring.
func (w *wire) attr(typ uint16, size int) []byte {
	b := w.next(unix.NLA_HDRLEN + size)
	if b == nil {
		return nil
	}
	binary.NativeEndian.PutUint16(b, uint16(unix.NLA_HDRLEN+size))
	binary.NativeEndian.PutUint16(b[2:], typ)
	return b[unix.NLA_HDRLEN:]
}

func (w *wire) bytes(typ uint16, v []byte) { copy(w.attr(typ, len(v)), v) }

// str writes a string with its terminating zero, which nf_tables' string attributes count in their length.
func (w *wire) str(typ uint16, v string) { copy(w.attr(typ, len(v)+1), v) }

// u32 writes a number in network order, as every nf_tables attribute is.
func (w *wire) u32(typ uint16, v uint32) {
	if b := w.attr(typ, 4); b != nil {
		binary.BigEndian.PutUint32(b, v)
	}
}

func (w *wire) u64(typ uint16, v uint64) {
	if b := w.attr(typ, 8); b != nil {
		binary.BigEndian.PutUint64(b, v)
	}
}

// nest opens a nested attribute; close it with end.
func (w *wire) nest(typ uint16) (at int) {
	at = w.n
	w.attr(typ|unix.NLA_F_NESTED, 0)
	return at
}

// end closes a nested attribute opened at the given place.
func (w *wire) end(at int) {
	if w.buf != nil {
		binary.NativeEndian.PutUint16(w.buf[at:], uint16(w.n-at))
	}
}

// header is what begins an nfnetlink message.
type header struct {
	typ    uint16 // subsystem and message type
	flags  uint16
	seq    uint32
	family uint8
	resID  uint16
}

// message opens a message; close it with endMessage.
func (w *wire) message(h header) (at int) {
	at = w.n
	b := w.next(unix.SizeofNlMsghdr + 4)
	if b != nil {
		binary.NativeEndian.PutUint16(b[4:], h.typ)
		binary.NativeEndian.PutUint16(b[6:], h.flags)
		binary.NativeEndian.PutUint32(b[8:], h.seq)
		b[16] = h.family
		binary.BigEndian.PutUint16(b[18:], h.resID)
	}
	return at
}

// endMessage closes a message opened at the given place.
func (w *wire) endMessage(at int) {
	if w.buf != nil {
		binary.NativeEndian.PutUint32(w.buf[at:], uint32(w.n-at))
	}
}
