package nft

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Conn is one long-lived netlink socket to nf_tables. It belongs to the network namespace of the thread that called
// Open, whatever thread uses it later. Its methods may be called from several goroutines; they run one at a time.
type Conn struct {
	mu  sync.Mutex
	nl  *netlink.Conn
	raw syscall.RawConn
	seq uint32
	in  []byte // for receiving
	// force allows more than net.core.wmem_max.
	force    bool
	patience time.Duration // answerTimeout, shorter in a test
}

const (
	// readSize is what one recvmsg offers. The kernel sizes its dump messages by it, up to 32 KiB.
	readSize = 64 << 10
	// receiveBuffer holds the kernel's answers to a batch: a refusal takes about 1 KiB of it, whatever its length.
	receiveBuffer = 4 << 20
	// bufferSlack is what netlink_sendmsg keeps back from the send buffer.
	bufferSlack = 32
	// answerTimeout bounds how long a request may go unanswered. The kernel answers while it takes the request, so only
	// a lost answer ever waits.
	answerTimeout = 10 * time.Second
)

// An Option changes how Open sets a connection up.
type Option func(*Conn)

// Unforced keeps to net.core.wmem_max and rmem_max although the process might exceed them.
func Unforced() Option { return func(c *Conn) { c.force = false } }

// Open makes a socket in the calling thread's network namespace and asks the kernel for its generation, so that a
// missing permission (ErrPermission) or a kernel without nf_tables (FeatureError) shows now.
func Open(opts ...Option) (*Conn, error) {
	nl, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	c := &Conn{nl: nl, in: make([]byte, readSize), force: true, patience: answerTimeout}
	for _, o := range opts {
		o(c)
	}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, nl.Close())
	}
	return c, nil
}

func (c *Conn) prepare() (err error) {
	// Extended acknowledgements name the attribute a refusal is about; capped ones do not repeat a large request.
	for _, o := range []netlink.ConnOption{netlink.ExtendedAcknowledge, netlink.CapAcknowledge} {
		if err := c.nl.SetOption(o, true); err != nil {
			return fmt.Errorf("open netlink socket: %w", err)
		}
	}
	if c.raw, err = c.nl.SyscallConn(); err != nil {
		return fmt.Errorf("open netlink socket: %w", err)
	}
	if !c.force || c.option(unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		// Best effort: a smaller buffer may lose answers, which Commit notices.
		_ = c.option(unix.SO_RCVBUF, receiveBuffer)
	}
	_, err = c.Generation()
	return err
}

// Close releases the socket. What was committed stays.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nl.Close()
}

func (c *Conn) option(name, value int) (err error) {
	control := c.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, name, value)
	})
	return errors.Join(control, os.NewSyscallError("setsockopt", err))
}

// roomFor makes the send buffer hold a batch of n bytes, which has to go out in one sendmsg. The kernel doubles what
// it is asked for (sock_setsockopt).
func (c *Conn) roomFor(n int) error {
	have, err := c.sendBuffer()
	if err != nil || have >= n {
		return err
	}
	want := (n + bufferSlack + 1) / 2
	if !c.force || c.option(unix.SO_SNDBUFFORCE, want) != nil {
		if err := c.option(unix.SO_SNDBUF, want); err != nil {
			return err
		}
	}
	if have, err = c.sendBuffer(); err == nil && have < n {
		err = &BufferError{Need: n, Have: have}
	}
	return err
}

// sendBuffer is how many bytes one sendmsg may have.
func (c *Conn) sendBuffer() (size int, err error) {
	control := c.raw.Control(func(fd uintptr) {
		size, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return size - bufferSlack, errors.Join(control, os.NewSyscallError("getsockopt", err))
}

// Generation is the number of the kernel's ruleset in this network namespace, which every commit by anybody raises by
// one. It wraps around, and 0 is skipped.
func (c *Conn) Generation() (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	gen, err := c.generation()
	if err != nil {
		return 0, fmt.Errorf("read nftables generation: %w", err)
	}
	return gen, nil
}

func (c *Conn) generation() (gen uint32, err error) {
	err = c.request(unix.NFT_MSG_GETGEN, 0, nil, func(body []byte) error {
		f, err := parseFields(body)
		gen = f.u32(unix.NFTA_GEN_ID)
		return err
	})
	return gen, err
}
