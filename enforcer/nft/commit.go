package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// Commit applies a transaction as one batch, all of it or nothing, provided that the kernel's generation is still gen:
// otherwise it returns ErrStale. A refusal is a *RefusedError that tells which steps the kernel objected to. An empty
// transaction does nothing.
//
// Commit needs one buffer of the batch's size: 16 bytes for an IPv4 address in a list, 28 for an IPv6 address, 40 and
// 64 for ranges, a few hundred for anything else.
func (c *Conn) Commit(tx *enforcer.Transaction, gen uint32) error {
	if tx.Empty() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := encodeBatch(tx, gen, c.seq+1)
	if err != nil || b.empty() {
		return err
	}
	c.seq = b.seq
	if err := c.roomFor(len(b.wire.buf)); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := c.drain(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := c.send(b.wire.buf); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return c.outcome(b)
}

// outcome reads what the kernel said of a batch. All of it is in the receive buffer by now, unless that was full.
func (c *Conn) outcome(b *batch) error {
	var v verdictOfKernel
	for {
		in, err := c.receive(false)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			continue // neither success nor failure: some answers did not fit
		case err != nil:
			return fmt.Errorf("commit: read the kernel's answer: %w", err)
		case in == nil:
			return c.decide(b, &v)
		}
		if err := eachMessage(in, func(m message) error { return v.note(b, m) }); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
}

// decide weighs the answers. Where none came the generation does: the kernel raises it by one with each commit that
// changes something.
func (c *Conn) decide(b *batch, v *verdictOfKernel) error {
	switch {
	case v.whole != nil:
		return fmt.Errorf("commit: %w", v.whole)
	case len(v.refused) > 0:
		for _, e := range v.refused {
			e.Feature = c.missingFeature(b, e)
		}
		return &RefusedError{Ops: v.refused}
	case v.acknowledged:
		return nil
	}
	now, err := c.generation()
	switch {
	case err != nil:
		return fmt.Errorf("commit: %w: %w", ErrOutcomeUnknown, err)
	case now == b.gen:
		return fmt.Errorf("commit: %w", ErrAnswerLost)
	case now == nextGeneration(b.gen):
		return nil
	}
	return fmt.Errorf("commit: %w", ErrOutcomeUnknown)
}

// nextGeneration follows nf_tables_commit: the base sequence skips 0.
func nextGeneration(gen uint32) uint32 {
	if gen++; gen == 0 {
		gen++
	}
	return gen
}

// verdictOfKernel gathers the answers to a batch.
type verdictOfKernel struct {
	whole        error      // of the batch as such
	refused      []*OpError // of single steps, in their order
	acknowledged bool       // the last step was answered with success
}

// note takes in one message.
func (v *verdictOfKernel) note(b *batch, m message) error {
	if m.typ != unix.NLMSG_ERROR || m.seq-b.firstSeq >= b.seq-b.firstSeq {
		return nil
	}
	errno, ok := errnoOf(m.body)
	if !ok {
		return fmt.Errorf("%w: answer of %d bytes", errMalformed, len(m.body))
	}
	i, ours := b.stepOf(m.seq)
	switch {
	case errno == 0:
		v.acknowledged = v.acknowledged || m.seq == b.lastSeq()
	case ours:
		op := b.tx.Ops[i]
		e := &OpError{Index: i, Op: op, Address: op.Address, Errno: errno}
		e.Message, e.Offset = extendedAck(m)
		if refused := len(v.refused); refused == 0 || v.refused[refused-1].Index != i {
			v.refused = append(v.refused, e)
		}
	case v.whole == nil:
		v.whole = wholeError(errno)
	}
	return nil
}

// wholeError is what an error on the batch itself means. The kernel also refuses here what shows only when everything
// is put together, as the commit's own failures.
func wholeError(errno syscall.Errno) error {
	switch errno {
	case unix.ERESTART:
		return ErrStale
	case unix.EPERM:
		return ErrPermission
	case unix.EOPNOTSUPP:
		return &FeatureError{Feature: "nf_tables", MinKernel: "3.13"}
	}
	return fmt.Errorf("the kernel refused the batch: %w", errno)
}

// extendedAck reads the attributes behind struct nlmsgerr, which with NETLINK_CAP_ACK holds the failing message's
// header only.
func extendedAck(m message) (text string, offset int) {
	const tail = 4 + unix.SizeofNlMsghdr
	if m.flags&unix.NLM_F_ACK_TLVS == 0 || len(m.body) < tail {
		return "", 0
	}
	// A malformed tail only costs the explanation.
	_ = eachAttr(m.body[tail:], func(typ uint16, data []byte) error {
		switch {
		case typ == unix.NLMSGERR_ATTR_MSG:
			text = attrString(data)
		case typ == unix.NLMSGERR_ATTR_OFFS && len(data) == 4:
			offset = int(binary.NativeEndian.Uint32(data))
		}
		return nil
	})
	return text, offset
}
