package nft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// errMalformed is what every decoder says of bytes that are not what the kernel sends.
var errMalformed = errors.New("malformed netlink attribute")

// typeMask strips NLA_F_NESTED and NLA_F_NET_BYTEORDER: nf_tables sets them on some dumps and not on others.
const typeMask = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)

// eachAttr calls f for each attribute in b, with the flags stripped from its type. It stops at the first error.
func eachAttr(b []byte, f func(typ uint16, data []byte) error) error {
	for len(b) >= unix.NLA_HDRLEN {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.NLA_HDRLEN || size > len(b) {
			return fmt.Errorf("%w: length %d of %d", errMalformed, size, len(b))
		}
		typ := binary.NativeEndian.Uint16(b[2:]) & typeMask
		if err := f(typ, b[unix.NLA_HDRLEN:size]); err != nil {
			return err
		}
		b = b[min(align(size), len(b)):]
	}
	if len(b) != 0 {
		return fmt.Errorf("%w: %d bytes left over", errMalformed, len(b))
	}
	return nil
}

// attrU32 reads a number in network order; ok is false when the length is wrong.
func attrU32(b []byte) (v uint32, ok bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}

// attrString reads a string up to its terminating zero.
func attrString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// fields collects the attributes of a message into a table by type, for messages whose attributes occur once each.
type fields struct {
	have [32]bool
	data [32][]byte
	more bool // a type beyond the table was seen: a kernel newer than this code
}

func parseFields(b []byte) (*fields, error) {
	f := new(fields)
	err := eachAttr(b, func(typ uint16, data []byte) error {
		if int(typ) >= len(f.have) {
			f.more = true
			return nil
		}
		f.have[typ], f.data[typ] = true, data
		return nil
	})
	return f, err
}

func (f *fields) str(typ uint16) string { return attrString(f.data[typ]) }

// u32 is the number of the given type, 0 when it is absent.
func (f *fields) u32(typ uint16) uint32 {
	v, _ := attrU32(f.data[typ])
	return v
}

func (f *fields) u64(typ uint16) uint64 {
	if b := f.data[typ]; len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}
