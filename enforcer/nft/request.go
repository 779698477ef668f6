package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errInterrupted says that a dump was overtaken by a change (NLM_F_DUMP_INTR) and is worthless.
var errInterrupted = errors.New("dump interrupted by a change")

// request sends one message to nf_tables for the inet family and calls each for the body of every message that
// answers it. With NLM_F_DUMP in flags there may be any number of those; without, an acknowledgement is asked for too,
// since the kernel has requests that it grants without a word.
func (c *Conn) request(msg, flags uint16, spec func(*wire), each func(body []byte) error) error {
	if flags&unix.NLM_F_DUMP == 0 {
		flags |= unix.NLM_F_ACK
	}
	c.seq++
	w := wire{}
	layOut := func() {
		at := w.message(header{typ: unix.NFNL_SUBSYS_NFTABLES<<8 | msg, flags: unix.NLM_F_REQUEST | flags, seq: c.seq,
			family: unix.NFPROTO_INET})
		if spec != nil {
			spec(&w)
		}
		w.endMessage(at)
	}
	layOut()
	w = wire{buf: make([]byte, w.n)}
	layOut()
	if err := c.drain(); err != nil {
		return err
	}
	if err := c.send(w.buf); err != nil {
		return err
	}
	return c.answers(c.seq, each)
}

// answers reads until the request of the sequence number is answered in full.
func (c *Conn) answers(seq uint32, each func(body []byte) error) error {
	if err := c.nl.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return err
	}
	// A deadline that is left behind fails whatever is read after it has passed, as when somebody thinks a plan over.
	defer func() { _ = c.nl.SetReadDeadline(time.Time{}) }()
	for {
		b, err := c.receive(true)
		if err != nil {
			return err
		}
		done := false
		err = eachMessage(b, func(m message) error {
			switch {
			case m.seq != seq:
				return nil // the tail of a dump that was given up
			case m.flags&unix.NLM_F_DUMP_INTR != 0:
				return errInterrupted
			case m.typ == unix.NLMSG_DONE:
				done = true
				return doneError(m.body)
			case m.typ == unix.NLMSG_ERROR:
				done = true
				return answerError(m.body)
			case len(m.body) < 4:
				return fmt.Errorf("%w: message of %d bytes", errMalformed, len(m.body))
			}
			return each(m.body[4:]) // behind struct nfgenmsg
		})
		if err != nil || done {
			return err
		}
	}
}

// answerError reads an NLMSG_ERROR that answers a single request; errno 0 is an acknowledgement.
func answerError(body []byte) error {
	errno, ok := errnoOf(body)
	switch {
	case !ok:
		return fmt.Errorf("%w: answer of %d bytes", errMalformed, len(body))
	case errno == 0:
		return nil
	case errno == unix.EPERM:
		return ErrPermission
	}
	return errno
}

// doneError reads the errno that ends a dump (NLMSG_DONE); older kernels send none.
func doneError(body []byte) error {
	if errno, ok := errnoOf(body); ok && errno != 0 {
		return errno
	}
	return nil
}

func errnoOf(body []byte) (syscall.Errno, bool) {
	if len(body) < 4 {
		return 0, false
	}
	return syscall.Errno(-int32(binary.NativeEndian.Uint32(body))), true
}

// send puts a whole buffer on the wire in one system call. nf_tables has done all its work when it returns.
func (c *Conn) send(b []byte) error {
	var err error
	waited := c.raw.Write(func(fd uintptr) bool {
		for {
			err = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	return errors.Join(waited, os.NewSyscallError("sendto", err))
}

// receive reads one run of messages from the kernel. Without wait it returns nil when there is nothing to read.
func (c *Conn) receive(wait bool) (b []byte, err error) {
	waited := c.raw.Read(func(fd uintptr) bool {
		var from unix.Sockaddr
		var n, flags int
		for {
			n, _, flags, from, err = unix.Recvmsg(int(fd), c.in, nil, unix.MSG_DONTWAIT)
			if err != unix.EINTR {
				break
			}
		}
		switch sender, _ := from.(*unix.SockaddrNetlink); {
		case err == unix.EAGAIN:
			return !wait
		case err != nil:
		case flags&unix.MSG_TRUNC != 0:
			err = unix.EMSGSIZE
		case sender == nil || sender.Pid != 0:
			return false // another process may send to our port; only the kernel counts
		default:
			b = c.in[:n]
		}
		return true
	})
	switch {
	case waited != nil:
		return nil, waited
	case err == unix.EAGAIN:
		return nil, nil
	}
	return b, os.NewSyscallError("recvmsg", err)
}

// drain throws away what earlier requests left, such as the rest of a dump that was given up.
func (c *Conn) drain() error {
	for {
		b, err := c.receive(false)
		if errors.Is(err, unix.ENOBUFS) {
			continue // says that something was lost; it was not ours
		}
		if err != nil || b == nil {
			return err
		}
	}
}

// message is one netlink message as received.
type message struct {
	typ, flags uint16
	seq        uint32
	body       []byte
}

// eachMessage calls f for each message in b and stops at the first error.
func eachMessage(b []byte, f func(message) error) error {
	for len(b) >= unix.SizeofNlMsghdr {
		size := binary.NativeEndian.Uint32(b)
		if size < unix.SizeofNlMsghdr || uint64(size) > uint64(len(b)) {
			return fmt.Errorf("%w: message length %d of %d", errMalformed, size, len(b))
		}
		m := message{typ: binary.NativeEndian.Uint16(b[4:]), flags: binary.NativeEndian.Uint16(b[6:]),
			seq: binary.NativeEndian.Uint32(b[8:]), body: b[unix.SizeofNlMsghdr:size]}
		if err := f(m); err != nil {
			return err
		}
		b = b[min(align(int(size)), len(b)):]
	}
	if len(b) != 0 {
		return fmt.Errorf("%w: %d bytes left over", errMalformed, len(b))
	}
	return nil
}
