package enforcer

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

// Width is the size of the field in bytes, before padding.
func (k KeyType) Width() int {
	switch k {
	case KeyIPv4:
		return 4
	case KeyIPv6, KeyIfname:
		return 16
	case KeyPort:
		return 2
	default:
		return 1
	}
}

// padded is the room the field takes in a concatenation: whole 32-bit registers (nft_set_pipapo, nft_data).
func (k KeyType) padded() int { return (k.Width() + 3) &^ 3 }

// addressBits is the width of an address field in bits, 0 for every other field.
func (n FieldName) addressBits() int {
	switch n {
	case IPSaddr, IPDaddr:
		return 32
	case IP6Saddr, IP6Daddr:
		return 128
	default:
		return 0
	}
}

// KeyType is the set key that holds the field.
func (n FieldName) KeyType() KeyType {
	switch n {
	case IPSaddr, IPDaddr:
		return KeyIPv4
	case IP6Saddr, IP6Daddr:
		return KeyIPv6
	case TCPDport, UDPDport:
		return KeyPort
	case Iifname:
		return KeyIfname
	default:
		return KeyL4Proto
	}
}

// maskText is the netmask of the leading bits, as nft prints it.
func maskText(width, bits int) string {
	addr := netip.IPv4Unspecified()
	if width == 128 {
		addr = netip.IPv6Unspecified()
	}
	mask := addr.AsSlice()
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ = netip.AddrFromSlice(mask)
	return addr.String()
}

// keyField is one field of an element's key: its lowest and highest value on the wire.
type keyField struct{ low, high []byte }

func portField(first, last uint16) keyField {
	return keyField{binary.BigEndian.AppendUint16(nil, first), binary.BigEndian.AppendUint16(nil, last)}
}

func ifnameField(name string) keyField {
	b := make([]byte, KeyIfname.Width())
	copy(b, name)
	return keyField{b, b}
}

func prefixField(p netip.Prefix) keyField {
	low := p.Masked().Addr().AsSlice()
	high := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(high)*8; i++ {
		high[i/8] |= 0x80 >> (i % 8)
	}
	return keyField{low, high}
}

// element joins fields into one element, each padded when there is more than one.
func element(fields []keyField, interval bool, verdict *Verdict) Element {
	var low, high []byte
	for _, f := range fields {
		low, high = append(low, f.low...), append(high, f.high...)
		if len(fields) > 1 {
			for len(low)%4 != 0 {
				low, high = append(low, 0), append(high, 0)
			}
		}
	}
	e := Element{Key: low, Verdict: verdict}
	if interval {
		e.KeyEnd = high
	}
	return e
}

// text prints an element as nft would.
func (e Element) text(key []KeyType) string {
	if e.Verdict != nil {
		return e.keyText(key) + " : " + e.Verdict.nft()
	}
	return e.keyText(key)
}

// keyText is the element without what it leads to.
func (e Element) keyText(key []KeyType) string {
	parts := make([]string, len(key))
	low, high := e.Key, e.KeyEnd
	if high == nil {
		high = low
	}
	for i, k := range key {
		parts[i] = fieldText(k, low[:k.Width()], high[:k.Width()])
		if len(key) > 1 {
			low, high = low[k.padded():], high[k.padded():]
		}
	}
	return strings.Join(parts, " . ")
}

func fieldText(k KeyType, low, high []byte) string {
	switch k {
	case KeyIPv4, KeyIPv6:
		a, _ := netip.AddrFromSlice(low)
		b, _ := netip.AddrFromSlice(high)
		return rangeText(a, b)
	case KeyPort:
		first, last := binary.BigEndian.Uint16(low), binary.BigEndian.Uint16(high)
		if first == last {
			return fmt.Sprint(first)
		}
		return fmt.Sprintf("%d-%d", first, last)
	case KeyIfname:
		return fmt.Sprintf("%q", strings.TrimRight(string(low), "\x00"))
	default:
		return fmt.Sprint(low[0])
	}
}

// rangeText prints a closed range as an address, a prefix, or first-last.
func rangeText(first, last netip.Addr) string {
	var b addrset.Builder
	if err := b.AddRange(first, last); err != nil {
		return first.String() + "-" + last.String()
	}
	for text := range b.Build().Texts() {
		return text
	}
	return ""
}
