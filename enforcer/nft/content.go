package nft

import (
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// maxElements is how many bytes of elements go into one message: the nest's length has 16 bits, and what is left over
// keeps even the largest single entry inside.
const maxElements = maxNest - 512

// content writes a step that puts entries into a set or takes them out, in as many messages as it needs: about 4,060
// IPv4 addresses go into one.
func (b *batch) content(op *enforcer.Op, msg, flags uint16) error {
	if op.Members != nil {
		return b.members(op, msg, flags)
	}
	for rest := op.Elements; len(rest) > 0; {
		at, list := b.beginElements(op.InSet, msg, flags)
		for len(rest) > 0 && b.wire.n-list < maxElements {
			if err := checkElement(op.InSet, &rest[0], op.Verb); err != nil {
				return err
			}
			if err := b.wire.element(op.InSet, &rest[0], op.Verb); err != nil {
				return err
			}
			rest = rest[1:]
		}
		b.endElements(at, list)
	}
	return nil
}

func (b *batch) members(op *enforcer.Op, msg, flags uint16) error {
	p := op.Members
	if err := checkMembers(op.InSet, p); err != nil {
		return err
	}
	perMessage := maxElements / memberSize(p)
	for first := 0; first < p.Len(); first += perMessage {
		at, list := b.beginElements(op.InSet, msg, flags)
		b.wire.members(p, first, min(first+perMessage, p.Len()))
		b.endElements(at, list)
	}
	return nil
}

func (b *batch) beginElements(s *enforcer.Set, msg, flags uint16) (at, list int) {
	at = b.add(msg, flags)
	b.wire.table()
	b.wire.str(unix.NFTA_SET_ELEM_LIST_SET, s.Name)
	return at, b.wire.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
}

func (b *batch) endElements(at, list int) {
	b.wire.end(list)
	b.wire.endMessage(at)
}
