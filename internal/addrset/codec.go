package addrset

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// The stored form of a part, all numbers big-endian: "tcpgset", version 1, kind, three zero bytes, count (8 bytes),
// the elements (4 or 16 bytes an address, ranges as first and last), the first 16 bytes of the SHA-256 of all from
// kind to the last element. The digest is made of the same bytes, so a file can be named by it and checked by itself.
const (
	magic     = "tcpgset\x01"
	headerLen = 12
	digestLen = 16
	blockLen  = 32 << 10 // a multiple of every element's width
)

// MaxPartLen bounds the elements that ReadPart takes: sixteen times a list of a million.
const MaxPartLen = 16 << 20

// ErrCorrupt says that a stored part is not what WriteTo wrote.
var ErrCorrupt = errors.New("stored address set is damaged")

// Digest is the content's name: 32 hexadecimal characters, the first 128 bits of a SHA-256 over kind, count and
// elements. Equal parts have equal digests on every machine.
func (p Part) Digest() string {
	h := sha256.New()
	p.encode(h) // a hash never fails
	return hex.EncodeToString(h.Sum(nil)[:digestLen])
}

// WriteTo writes the part in its stored form. It implements io.WriterTo.
func (p Part) WriteTo(w io.Writer) (int64, error) {
	out := &hashingWriter{w: w, hash: sha256.New()}
	if err := out.plain([]byte(magic)); err != nil {
		return out.n, fmt.Errorf("write address set: %w", err)
	}
	if err := p.encode(out); err != nil {
		return out.n, fmt.Errorf("write address set: %w", err)
	}
	if err := out.plain(out.hash.Sum(nil)[:digestLen]); err != nil {
		return out.n, fmt.Errorf("write address set: %w", err)
	}
	return out.n, nil
}

// hashingWriter hashes what is written through it and counts all that reaches w.
type hashingWriter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (h *hashingWriter) Write(b []byte) (int, error) {
	h.hash.Write(b)
	return len(b), h.plain(b)
}

func (h *hashingWriter) plain(b []byte) error {
	n, err := h.w.Write(b)
	h.n += int64(n)
	return err
}

// encode writes header and elements in blocks.
func (p *Part) encode(w io.Writer) error {
	buf := make([]byte, 0, blockLen)
	buf = append(buf, byte(p.Kind), 0, 0, 0)
	buf = binary.BigEndian.AppendUint64(buf, uint64(p.len()))
	if _, err := w.Write(buf); err != nil {
		return err
	}
	per := blockLen / p.elementLen()
	for start := 0; start < p.len(); start += per {
		buf = buf[:0]
		for i := start; i < min(start+per, p.len()); i++ {
			buf = p.appendBytes(buf, i)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// elementLen is the width of a stored element in bytes.
func (p *Part) elementLen() int {
	switch p.Kind {
	case Addrs4:
		return 4
	case Ranges4:
		return 8
	case Addrs6:
		return 16
	default:
		return 32
	}
}

func (p *Part) appendBytes(b []byte, i int) []byte {
	switch p.Kind {
	case Addrs4:
		return binary.BigEndian.AppendUint32(b, p.Addrs4[i])
	case Ranges4:
		b = binary.BigEndian.AppendUint32(b, p.Ranges4[i].Lo)
		return binary.BigEndian.AppendUint32(b, p.Ranges4[i].Hi)
	case Addrs6:
		return p.Addrs6[i].appendBytes(b)
	default:
		return p.Ranges6[i].Hi.appendBytes(p.Ranges6[i].Lo.appendBytes(b))
	}
}

func (a Addr6) appendBytes(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, a.Hi), a.Lo)
}

// ReadPart reads one part in its stored form and no byte beyond it. What is not exactly what WriteTo writes for a part
// in normal form is ErrCorrupt. Memory grows with what is read, never with what the header promises.
func ReadPart(r io.Reader) (Part, error) {
	buf := make([]byte, blockLen)
	sum := sha256.New()
	p, count, err := readHeader(r, buf, sum)
	if err != nil {
		return Part{}, err
	}
	width := p.elementLen()
	for left := count * width; left > 0; {
		block := buf[:min(left, len(buf))]
		if _, err := io.ReadFull(r, block); err != nil {
			return Part{}, readError(err)
		}
		sum.Write(block)
		left -= len(block)
		// Doubling never holds more than twice what has been read, and the promise ends it, so nothing is left over.
		if need := p.len() + len(block)/width; need > p.capacity() {
			p.reserve(min(count, 2*need))
		}
		for ; len(block) > 0; block = block[width:] {
			if err := p.pushOrdered(decode(p.Kind, block)); err != nil {
				return Part{}, err
			}
		}
	}
	if _, err := io.ReadFull(r, buf[:digestLen]); err != nil {
		return Part{}, readError(err)
	}
	if !bytes.Equal(buf[:digestLen], sum.Sum(nil)[:digestLen]) {
		return Part{}, fmt.Errorf("%w: the digest does not match", ErrCorrupt)
	}
	return p, nil
}

// readHeader checks magic, kind and count.
func readHeader(r io.Reader, buf []byte, sum hash.Hash) (p Part, count int, err error) {
	head := buf[:len(magic)+headerLen]
	if _, err := io.ReadFull(r, head); err != nil {
		return Part{}, 0, readError(err)
	}
	if string(head[:len(magic)]) != magic {
		return Part{}, 0, fmt.Errorf("%w: not an address set of this version", ErrCorrupt)
	}
	head = head[len(magic):]
	sum.Write(head)
	p.Kind = Kind(head[0])
	if p.Kind >= NumKinds || head[1] != 0 || head[2] != 0 || head[3] != 0 {
		return Part{}, 0, fmt.Errorf("%w: unknown kind", ErrCorrupt)
	}
	n := binary.BigEndian.Uint64(head[4:])
	if n > MaxPartLen {
		return Part{}, 0, fmt.Errorf("%w: %d elements are more than %d", ErrCorrupt, n, MaxPartLen)
	}
	return p, int(n), nil
}

// decode reads the element at the beginning of b, widened.
func decode(k Kind, b []byte) Range6 {
	switch k {
	case Addrs4:
		v := wide(binary.BigEndian.Uint32(b))
		return Range6{v, v}
	case Ranges4:
		return Range6{wide(binary.BigEndian.Uint32(b)), wide(binary.BigEndian.Uint32(b[4:]))}
	case Addrs6:
		v := Addr6{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
		return Range6{v, v}
	default:
		return Range6{decode(Addrs6, b).Lo, decode(Addrs6, b[16:]).Lo}
	}
}

// pushOrdered appends an element and refuses one that breaks the normal form.
func (p *Part) pushOrdered(r Range6) error {
	if p.Kind.Ranges() && !r.Lo.Less(r.Hi) {
		return fmt.Errorf("%w: element %d is not a range", ErrCorrupt, p.len())
	}
	if n := p.len(); n > 0 {
		last := p.at(n - 1).Hi
		next, ok := last.Next()
		if !ok || !last.Less(r.Lo) || p.Kind.Ranges() && next == r.Lo {
			return fmt.Errorf("%w: element %d is out of order", ErrCorrupt, n)
		}
	}
	p.push(r)
	return nil
}

// readError names a file that ends early as damage and passes other errors on.
func readError(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends early", ErrCorrupt)
	}
	return fmt.Errorf("read address set: %w", err)
}
