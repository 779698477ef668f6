package nettest

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Flags are TCP header flags.
type Flags byte

// The TCP flags in use.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Segment builds an IP packet that holds one TCP segment with correct checksums and no payload.
func Segment(from, to netip.AddrPort, flags Flags, seq, ack uint32) []byte {
	tcp := make([]byte, 20)
	binary.BigEndian.PutUint16(tcp[0:], from.Port())
	binary.BigEndian.PutUint16(tcp[2:], to.Port())
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12] = 5 << 4
	tcp[13] = byte(flags)
	binary.BigEndian.PutUint16(tcp[14:], 65535)
	binary.BigEndian.PutUint16(tcp[16:], transportChecksum(from.Addr(), to.Addr(), unix.IPPROTO_TCP, tcp))
	return append(ipHeader(from.Addr(), to.Addr(), unix.IPPROTO_TCP, len(tcp)), tcp...)
}

// Datagram builds an IP packet that holds one UDP datagram.
func Datagram(from, to netip.AddrPort, payload []byte) []byte {
	udp := make([]byte, 8, 8+len(payload))
	udp = append(udp, payload...)
	binary.BigEndian.PutUint16(udp[0:], from.Port())
	binary.BigEndian.PutUint16(udp[2:], to.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	binary.BigEndian.PutUint16(udp[6:], transportChecksum(from.Addr(), to.Addr(), unix.IPPROTO_UDP, udp))
	return append(ipHeader(from.Addr(), to.Addr(), unix.IPPROTO_UDP, len(udp)), udp...)
}

func ipHeader(from, to netip.Addr, protocol byte, payload int) []byte {
	if from.Is4() {
		ip := make([]byte, 20)
		ip[0] = 4<<4 | 5
		binary.BigEndian.PutUint16(ip[2:], uint16(20+payload))
		ip[8] = 64
		ip[9] = protocol
		copy(ip[12:], from.AsSlice())
		copy(ip[16:], to.AsSlice())
		binary.BigEndian.PutUint16(ip[10:], fold(sum(0, ip)))
		return ip
	}
	ip := make([]byte, 40)
	ip[0] = 6 << 4
	binary.BigEndian.PutUint16(ip[4:], uint16(payload))
	ip[6] = protocol
	ip[7] = 64
	copy(ip[8:], from.AsSlice())
	copy(ip[24:], to.AsSlice())
	return ip
}

// transportChecksum is the Internet checksum (RFC 1071) over the pseudo header and a TCP or UDP header and payload.
func transportChecksum(from, to netip.Addr, protocol byte, payload []byte) uint16 {
	s := sum(0, from.AsSlice())
	s = sum(s, to.AsSlice())
	s += uint32(protocol) + uint32(len(payload))
	return fold(sum(s, payload))
}

func sum(s uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
