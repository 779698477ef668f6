package nft

import (
	"errors"
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// packetField says where in a packet, or in what the kernel knows of it, a field is found.
type packetField struct {
	width  int // bytes
	meta   bool
	key    expr.MetaKey
	base   expr.PayloadBase
	offset uint32
}

// load reads the field's first width bytes into a register.
func (f packetField) load(register uint32, width int) expr.Any {
	if f.meta {
		return &expr.Meta{Key: f.key, Register: register}
	}
	return &expr.Payload{DestRegister: register, Base: f.base, Offset: f.offset, Len: uint32(width)}
}

// packetField finds a field after matching the protocol that it implies.
func (e *ruleEncoder) packetField(name enforcer.FieldName) (packetField, error) {
	network := func(proto byte, offset uint32, width int) (packetField, error) {
		return packetField{width: width, base: expr.PayloadBaseNetworkHeader, offset: offset}, e.network(proto)
	}
	port := packetField{width: 2, base: expr.PayloadBaseTransportHeader, offset: 2}
	switch name {
	case enforcer.IPSaddr:
		return network(unix.NFPROTO_IPV4, 12, 4)
	case enforcer.IPDaddr:
		return network(unix.NFPROTO_IPV4, 16, 4)
	case enforcer.IP6Saddr:
		return network(unix.NFPROTO_IPV6, 8, 16)
	case enforcer.IP6Daddr:
		return network(unix.NFPROTO_IPV6, 24, 16)
	case enforcer.TCPDport:
		return port, e.transport(unix.IPPROTO_TCP)
	case enforcer.UDPDport:
		return port, e.transport(unix.IPPROTO_UDP)
	case enforcer.Iifname:
		return packetField{width: unix.IFNAMSIZ, meta: true, key: expr.MetaKeyIIFNAME}, nil
	case enforcer.L4Proto:
		return packetField{width: 1, meta: true, key: expr.MetaKeyL4PROTO}, nil
	}
	return packetField{}, fmt.Errorf("unknown field %q", name)
}

// network makes sure, once in a rule, that the packet is of the address family.
func (e *ruleEncoder) network(proto byte) error {
	if e.l3 != 0 && e.l3 != proto {
		return errors.New("both IPv4 and IPv6 in one rule: it would never match")
	}
	if e.l3 == 0 {
		e.add(matchMeta(expr.MetaKeyNFPROTO, proto)...)
	}
	e.l3 = proto
	return nil
}

// transport makes sure, once in a rule, that the packet is of the transport protocol.
func (e *ruleEncoder) transport(proto byte) error {
	if e.l4 != 0 && e.l4 != proto {
		return errors.New("both TCP and UDP in one rule: it would never match")
	}
	if e.l4 == 0 {
		e.add(matchMeta(expr.MetaKeyL4PROTO, proto)...)
	}
	e.l4 = proto
	return nil
}

func matchMeta(key expr.MetaKey, value byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: work}, compare(false, []byte{value})}
}

// load puts the fields side by side into the registers, beginning with the working one. All the protocol matches come
// first, because they need that register too.
func (e *ruleEncoder) load(names []enforcer.Field) error {
	if len(names) == 0 {
		return errors.New("a lookup without fields")
	}
	found := make([]packetField, len(names))
	for i, n := range names {
		f, err := e.packetField(n.Name)
		if err != nil {
			return err
		}
		if n.Prefix < 0 || n.Prefix > f.width*8 {
			return fmt.Errorf("%s: prefix of %d bits", n.Name, n.Prefix)
		}
		found[i] = f
	}
	word := 0
	for i, f := range found {
		r := register(word)
		e.add(f.load(r, f.width))
		if p := names[i].Prefix; p != 0 && p != f.width*8 {
			e.add(mask(r, prefixMask(p, f.width)))
		}
		word += align(f.width) / 4
	}
	if word > registerWords {
		return fmt.Errorf("key of %d bytes: the kernel has room for %d", word*4, registerWords*4)
	}
	return nil
}

// registerWords is how many four-byte words fit the kernel's data registers.
const registerWords = 16

// register names the register at a four-byte word. The kernel has two names for those on a 16-byte border and always
// shows the old one (nft_dump_register).
func register(word int) uint32 {
	if word%4 == 0 {
		return unix.NFT_REG_1 + uint32(word/4)
	}
	return unix.NFT_REG32_00 + uint32(word)
}

// prefixMask is a mask of the leading bits, width bytes long.
func prefixMask(bits, width int) []byte {
	m := make([]byte, width)
	for i := range m {
		switch {
		case bits >= 8:
			m[i] = 0xff
		case bits > 0:
			m[i] = 0xff << (8 - bits)
		}
		bits -= 8
	}
	return m
}
