package nft

import (
	"errors"
	"fmt"
	"sort"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// nfnlBatchGenID is NFNL_BATCH_GENID: the kernel answers ERESTART when its generation is another.
const nfnlBatchGenID = 1

// A batch is a transaction as one run of messages. Message i has sequence number firstSeq+i: 0 is the BATCH_BEGIN,
// then come the steps' messages, one or more each, then the BATCH_END.
type batch struct {
	tx       *enforcer.Transaction
	gen      uint32
	firstSeq uint32
	wire     wire
	seq      uint32   // of the next message
	firstOf  []uint32 // the first sequence number of each step
	lastAt   int      // where the last step's last message begins
	setID    uint32
}

// encodeBatch measures the transaction, then lays it out in a buffer of just that size.
func encodeBatch(tx *enforcer.Transaction, gen, firstSeq uint32) (*batch, error) {
	b := &batch{tx: tx, gen: gen, firstSeq: firstSeq}
	if err := b.layOut(); err != nil {
		return nil, err
	}
	b.wire = wire{buf: make([]byte, b.wire.n)}
	return b, b.layOut()
}

func (b *batch) layOut() error {
	b.seq, b.setID, b.firstOf = b.firstSeq, 0, b.firstOf[:0]
	at := b.begin(header{typ: unix.NFNL_MSG_BATCH_BEGIN, family: unix.AF_UNSPEC, resID: unix.NFNL_SUBSYS_NFTABLES})
	b.wire.u32(nfnlBatchGenID, b.gen)
	b.wire.endMessage(at)
	for i := range b.tx.Ops {
		op := &b.tx.Ops[i]
		b.firstOf = append(b.firstOf, b.seq)
		if err := b.op(op); err != nil {
			return fmt.Errorf("encode %s: %s %s: %w", op.Address, op.Verb, objectOf(op), err)
		}
	}
	b.askForAnswer()
	b.wire.endMessage(b.begin(header{typ: unix.NFNL_MSG_BATCH_END, family: unix.AF_UNSPEC, resID: unix.NFNL_SUBSYS_NFTABLES}))
	return nil
}

// askForAnswer sets NLM_F_ACK on the last step alone. The kernel reports every failing message anyway; this answer
// comes behind them all, and only it tells success from an answer that got lost. (BATCH_END is answered only from
// Linux 6.10 on.)
func (b *batch) askForAnswer() {
	if b.wire.buf != nil && b.lastAt > 0 {
		b.wire.buf[b.lastAt+6] |= unix.NLM_F_ACK
	}
}

// begin opens a message with the next sequence number.
func (b *batch) begin(h header) (at int) {
	h.seq, h.flags = b.seq, h.flags|unix.NLM_F_REQUEST
	b.seq++
	return b.wire.message(h)
}

// add opens a message of nf_tables for the table's family.
func (b *batch) add(msg, flags uint16) (at int) {
	b.lastAt = b.begin(header{typ: unix.NFNL_SUBSYS_NFTABLES<<8 | msg, flags: flags, family: unix.NFPROTO_INET})
	return b.lastAt
}

// stepOf finds the step whose message has the sequence number; ok is false for the batch's own messages.
func (b *batch) stepOf(seq uint32) (i int, ok bool) {
	if seq-b.firstSeq >= b.seq-b.firstSeq-1 || seq == b.firstSeq {
		return 0, false
	}
	// The last step that begins at or before it: a step without content has no message of its own.
	i = sort.Search(len(b.firstOf), func(i int) bool { return b.firstOf[i]-b.firstSeq > seq-b.firstSeq }) - 1
	return i, i >= 0
}

// empty says that no step has a message: there is nothing to send.
func (b *batch) empty() bool { return b.seq-b.firstSeq <= 2 }

// lastSeq is the sequence number of the message that is answered even if all goes well.
func (b *batch) lastSeq() uint32 { return b.seq - 2 }

// op writes the messages of one step.
func (b *batch) op(op *enforcer.Op) error {
	switch op.Verb {
	case enforcer.Add, enforcer.Delete:
	case enforcer.Flush:
		if op.Chain == nil {
			return errors.New("only chains are flushed")
		}
		return b.simple(unix.NFT_MSG_DELRULE, 0, func(w *wire) error {
			w.table()
			w.str(unix.NFTA_RULE_CHAIN, op.Chain.Name)
			return nil
		})
	default:
		return errors.New("unknown verb")
	}
	pick := func(add, del uint16) uint16 {
		if op.Verb == enforcer.Add {
			return add
		}
		return del
	}
	create := pick(unix.NLM_F_CREATE, 0)
	switch {
	case op.Table:
		return b.simple(pick(unix.NFT_MSG_NEWTABLE, unix.NFT_MSG_DELTABLE), create, func(w *wire) error {
			w.tableSpec(op.Verb)
			return nil
		})
	case op.Counter != nil:
		return b.simple(pick(unix.NFT_MSG_NEWOBJ, unix.NFT_MSG_DELOBJ), create, func(w *wire) error {
			w.counterSpec(op.Counter.Name)
			return nil
		})
	case op.Set != nil:
		b.setID++
		return b.simple(pick(unix.NFT_MSG_NEWSET, unix.NFT_MSG_DELSET), create, func(w *wire) error {
			return w.setSpec(op.Set, op.Verb, b.setID)
		})
	case op.Chain != nil:
		return b.simple(pick(unix.NFT_MSG_NEWCHAIN, unix.NFT_MSG_DELCHAIN), create, func(w *wire) error {
			return w.chainSpec(op.Chain, op.Verb)
		})
	case op.Rule != nil:
		return b.simple(pick(unix.NFT_MSG_NEWRULE, unix.NFT_MSG_DELRULE), pick(unix.NLM_F_CREATE|unix.NLM_F_APPEND, 0),
			func(w *wire) error { return w.ruleSpec(op.Rule, op.InChain, op.Verb) })
	case op.InSet != nil:
		return b.content(op, pick(unix.NFT_MSG_NEWSETELEM, unix.NFT_MSG_DELSETELEM), create)
	case op.Foreign != nil && op.Verb == enforcer.Delete:
		msg := uint16(unix.NFT_MSG_DELOBJ)
		if op.Foreign.Kind == kindFlowtable {
			msg = nftMsgDelFlowtable
		}
		return b.simple(msg, 0, func(w *wire) error { return w.foreignSpec(op.Foreign) })
	}
	return errors.New("nothing to do it to")
}

// simple writes a step of one message.
func (b *batch) simple(msg, flags uint16, spec func(*wire) error) error {
	at := b.add(msg, flags)
	if err := spec(&b.wire); err != nil {
		return err
	}
	b.wire.endMessage(at)
	return nil
}

// objectOf names a step's object for error messages.
func objectOf(op *enforcer.Op) string {
	switch {
	case op.Table:
		return "table " + enforcer.TableName
	case op.Counter != nil:
		return "counter " + op.Counter.Name
	case op.Set != nil:
		return "set " + op.Set.Name
	case op.Chain != nil:
		return "chain " + op.Chain.Name
	case op.Rule != nil:
		return "rule in chain " + op.InChain
	case op.InSet != nil && op.Members != nil:
		return "members of set " + op.InSet.Name
	case op.InSet != nil:
		return "elements of set " + op.InSet.Name
	case op.Foreign != nil:
		return op.Foreign.Kind + " " + op.Foreign.Name
	}
	return "nothing"
}
