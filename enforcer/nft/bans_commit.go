package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// ErrNoTable says that the table is not in the kernel: nothing was applied in this network namespace.
var ErrNoTable = errors.New("table inet " + enforcer.TableName + " is not in the kernel")

// TimedError is the kernel's refusal of a step of CommitTimed. Nothing was applied.
type TimedError struct {
	Verb  enforcer.Verb
	Set   string
	Addr  netip.Addr // what it objected to: an element's first address, or the one behind its last; invalid when it did not say
	Errno syscall.Errno
}

func (e *TimedError) Error() string {
	what := e.Set
	if e.Addr.IsValid() {
		what = e.Addr.String() + " in " + e.Set
	}
	return fmt.Sprintf("the kernel refused to %s %s: %v", e.Verb, what, e.Errno)
}

// Unwrap gives the errno.
func (e *TimedError) Unwrap() error { return e.Errno }

// CommitTimed carries out the steps as one batch: all of them or none. A refusal is a *TimedError: ENOENT for an
// element to delete that is not there, ENFILE for a full set, EEXIST or ENOTEMPTY for a range that overlaps another, EEXIST
// for an element to create that is there.
//
// Unlike Commit it asks for no generation. A ban does not depend on what rules say, so somebody else's change in the
// meantime is no reason to refuse it; and what it does depend on, the elements themselves, the kernel checks.
func (c *Conn) CommitTimed(steps []TimedStep) error {
	for i := range steps {
		if err := steps[i].check(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &timedBatch{batch: batch{firstSeq: c.seq + 1}}
	b.layOut(steps)
	if b.empty() {
		return nil
	}
	b.wire = wire{buf: make([]byte, b.wire.n)}
	b.layOut(steps)
	c.seq = b.seq
	if err := c.roomFor(len(b.wire.buf)); err != nil {
		return fmt.Errorf("change bans: %w", err)
	}
	if err := c.drain(); err != nil {
		return fmt.Errorf("change bans: %w", err)
	}
	if err := c.send(b.wire.buf); err != nil {
		return fmt.Errorf("change bans: %w", err)
	}
	return c.timedOutcome(b, steps)
}

// timedBatch is a batch that changes nothing but elements.
type timedBatch struct {
	batch
	messages []timedMessage // in order of their sequence numbers, beginning behind BATCH_BEGIN
}

type timedMessage struct{ at, step int }

func (b *timedBatch) layOut(steps []TimedStep) {
	b.seq, b.messages = b.firstSeq, b.messages[:0]
	ends := func(typ uint16) {
		b.wire.endMessage(b.begin(header{typ: typ, family: unix.AF_UNSPEC, resID: unix.NFNL_SUBSYS_NFTABLES}))
	}
	ends(unix.NFNL_MSG_BATCH_BEGIN)
	for i := range steps {
		s := &steps[i]
		if s.Verb == enforcer.Flush {
			b.timed(i, s, nil)
			continue
		}
		room := maxNest / timedSize(s.Set)
		for rest := s.Elements; len(rest) > 0; rest = rest[min(room, len(rest)):] {
			b.timed(i, s, rest[:min(room, len(rest))])
		}
	}
	b.askForAnswer()
	ends(unix.NFNL_MSG_BATCH_END)
}

// timed writes one message. The kernel takes a deletion without a list for all elements (nf_tables_delsetelem).
func (b *timedBatch) timed(step int, s *TimedStep, elements []TimedElement) {
	msg, flags := uint16(unix.NFT_MSG_DELSETELEM), uint16(0)
	switch s.Verb {
	case enforcer.Add:
		msg, flags = unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE
	case Create:
		msg, flags = unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE|unix.NLM_F_EXCL
	}
	at := b.add(msg, flags)
	b.messages = append(b.messages, timedMessage{at, step})
	b.wire.table()
	b.wire.str(unix.NFTA_SET_ELEM_LIST_SET, s.Set.Name)
	if len(elements) > 0 {
		list := b.wire.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
		for _, e := range elements {
			b.wire.timed(s.Set, e, s.Verb != enforcer.Delete)
		}
		b.wire.end(list)
	}
	b.wire.endMessage(at)
}

// timedOutcome reads what the kernel said. The first refusal is the one reported; later ones may follow from it.
func (c *Conn) timedOutcome(b *timedBatch, steps []TimedStep) error {
	var refusal error
	acknowledged := false
	note := func(m message) error {
		i := int(m.seq - b.firstSeq)
		if m.typ != unix.NLMSG_ERROR || i < 0 || i > len(b.messages) {
			return nil
		}
		errno, ok := errnoOf(m.body)
		switch {
		case !ok:
			return fmt.Errorf("%w: answer of %d bytes", errMalformed, len(m.body))
		case errno == 0:
			acknowledged = acknowledged || m.seq == b.lastSeq()
		case refusal != nil:
		case i == 0 || errno == unix.EPERM:
			refusal = wholeError(errno)
		default:
			refusal = b.refusal(i-1, errno, m, steps)
		}
		return nil
	}
	for {
		in, err := c.receive(false)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			continue // neither success nor failure: some answers did not fit
		case err != nil:
			return fmt.Errorf("change bans: read the kernel's answer: %w", err)
		case in != nil:
			if err := eachMessage(in, note); err != nil {
				return fmt.Errorf("change bans: %w", err)
			}
		case refusal != nil:
			return refusal
		case !acknowledged:
			return fmt.Errorf("change bans: %w", ErrOutcomeUnknown)
		default:
			return nil
		}
	}
}

// refusal says which element of which step a message's refusal is about.
func (b *timedBatch) refusal(i int, errno syscall.Errno, m message, steps []TimedStep) error {
	s := steps[b.messages[i].step]
	e := &TimedError{Verb: s.Verb, Set: s.Set.Name, Errno: errno}
	message := b.wire.buf[b.messages[i].at:]
	message = message[:binary.NativeEndian.Uint32(message)]
	if _, offset := extendedAck(m); offset > 0 {
		e.Addr, _ = refusedAt(message, offset)
	}
	return e
}
