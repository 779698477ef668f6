package traffic

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// TCP flags.
const (
	flagSYN = 1 << 1
	flagACK = 1 << 4
)

const ethLen = 14

// Frame is an Ethernet frame with one TCP segment and no payload. Its fields may be set anew, which corrects the
// checksums by the difference (RFC 1624) instead of computing them.
type Frame struct {
	bytes []byte
	ip    []byte // from the IP header on
	tcp   []byte
	v6    bool
}

// NewFrame builds a frame with correct checksums. Both addresses are of the same family.
func NewFrame(from, to net.HardwareAddr, source, destination netip.AddrPort, flags byte) *Frame {
	f := &Frame{v6: source.Addr().Is6()}
	ipLen, etherType := 20, uint16(unix.ETH_P_IP)
	if f.v6 {
		ipLen, etherType = 40, unix.ETH_P_IPV6
	}
	f.cut(make([]byte, ethLen+ipLen+20), ipLen)
	copy(f.bytes[0:6], to)
	copy(f.bytes[6:12], from)
	binary.BigEndian.PutUint16(f.bytes[12:], etherType)
	if f.v6 {
		f.ip[0] = 6 << 4
		binary.BigEndian.PutUint16(f.ip[4:], 20)
		f.ip[6], f.ip[7] = unix.IPPROTO_TCP, 64
	} else {
		f.ip[0] = 4<<4 | 5
		binary.BigEndian.PutUint16(f.ip[2:], 40)
		f.ip[8], f.ip[9] = 64, unix.IPPROTO_TCP
	}
	copy(f.source(), source.Addr().AsSlice())
	copy(f.destination(), destination.Addr().AsSlice())
	binary.BigEndian.PutUint16(f.tcp[0:], source.Port())
	binary.BigEndian.PutUint16(f.tcp[2:], destination.Port())
	f.tcp[12] = 5 << 4
	f.tcp[13] = flags
	binary.BigEndian.PutUint16(f.tcp[14:], 65535)
	f.seal()
	return f
}

// Clone copies the frame, so that several can be on their way with different fields.
func (f *Frame) Clone() *Frame {
	c := &Frame{v6: f.v6}
	c.cut(append([]byte(nil), f.bytes...), len(f.ip)-len(f.tcp))
	return c
}

// Bytes are the frame as it goes on the wire.
func (f *Frame) Bytes() []byte { return f.bytes }

func (f *Frame) cut(b []byte, ipLen int) {
	f.bytes, f.ip, f.tcp = b, b[ethLen:], b[ethLen+ipLen:]
}

func (f *Frame) source() []byte {
	if f.v6 {
		return f.ip[8:24]
	}
	return f.ip[12:16]
}

func (f *Frame) destination() []byte {
	if f.v6 {
		return f.ip[24:40]
	}
	return f.ip[16:20]
}

// seal computes both checksums.
func (f *Frame) seal() {
	if !f.v6 {
		binary.BigEndian.PutUint16(f.ip[10:], 0)
		binary.BigEndian.PutUint16(f.ip[10:], ^fold(sum(0, f.ip[:20])))
	}
	binary.BigEndian.PutUint16(f.tcp[16:], 0)
	s := sum(0, f.source())
	s = sum(s, f.destination())
	s += unix.IPPROTO_TCP + uint32(len(f.tcp))
	binary.BigEndian.PutUint16(f.tcp[16:], ^fold(sum(s, f.tcp)))
}

// SetSource4 changes the source address of an IPv4 frame, given in host order.
func (f *Frame) SetSource4(a uint32) {
	f.change(f.ip[12:14], uint16(a>>16), true)
	f.change(f.ip[14:16], uint16(a), true)
}

// SetHost6 changes the lower half of an IPv6 frame's source address.
func (f *Frame) SetHost6(host uint64) {
	for i := range 4 {
		f.change(f.ip[16+2*i:18+2*i], uint16(host>>(48-16*i)), false)
	}
}

// SetSourcePort changes the source port.
func (f *Frame) SetSourcePort(p uint16) { f.change(f.tcp[0:2], p, false) }

// SetSequence changes the sequence number.
func (f *Frame) SetSequence(n uint32) {
	f.change(f.tcp[4:6], uint16(n>>16), false)
	f.change(f.tcp[6:8], uint16(n), false)
}

// change writes a word that the TCP checksum covers, and with header the IPv4 one too.
func (f *Frame) change(word []byte, to uint16, header bool) {
	was := binary.BigEndian.Uint16(word)
	binary.BigEndian.PutUint16(word, to)
	update(f.tcp[16:18], was, to)
	if header {
		update(f.ip[10:12], was, to)
	}
}

// update is equation 3 of RFC 1624: HC' = ~(~HC + ~m + m').
func update(checksum []byte, was, to uint16) {
	s := uint32(^binary.BigEndian.Uint16(checksum)) + uint32(^was) + uint32(to)
	binary.BigEndian.PutUint16(checksum, ^fold(s))
}

func sum(s uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
