package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Packets are made by the kernel itself: BPF_PROG_TEST_RUN in live mode runs an XDP program over copies of one frame
// and hands what passes to the network stack, as if an interface had received it (Documentation/bpf/bpf_prog_run.rst).
// Generator, stack and rules all run on the calling thread, so its CPU clock holds the whole cost and nothing else.

// instruction is one BPF instruction, struct bpf_insn.
type instruction struct {
	op       byte
	dst, src byte
	off      int16
	imm      int32
}

func encode(program []instruction) []byte {
	out := make([]byte, 0, 8*len(program))
	for _, i := range program {
		out = append(out, i.op, i.src<<4|i.dst)
		out = binary.NativeEndian.AppendUint16(out, uint16(i.off))
		out = binary.NativeEndian.AppendUint32(out, uint32(i.imm))
	}
	return out
}

// The operations in use, from include/uapi/linux/bpf.h and bpf_common.h.
const (
	movReg    = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X
	movImm    = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
	addImm    = unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K
	andImm    = unix.BPF_ALU64 | unix.BPF_AND | unix.BPF_K
	orImm     = unix.BPF_ALU64 | unix.BPF_OR | unix.BPF_K
	xorImm    = unix.BPF_ALU64 | unix.BPF_XOR | unix.BPF_K
	mulImm    = unix.BPF_ALU64 | unix.BPF_MUL | unix.BPF_K
	modImm    = unix.BPF_ALU64 | unix.BPF_MOD | unix.BPF_K
	rshImm    = unix.BPF_ALU64 | unix.BPF_RSH | unix.BPF_K
	toBig     = unix.BPF_ALU | unix.BPF_END | unix.BPF_TO_BE
	load32    = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W
	store16   = unix.BPF_STX | unix.BPF_MEM | unix.BPF_H
	jumpOver  = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_X
	call      = unix.BPF_JMP | unix.BPF_CALL
	exit      = unix.BPF_JMP | unix.BPF_EXIT
	getRandom = 7 // BPF_FUNC_get_prandom_u32
	xdpPass   = 2 // XDP_PASS
)

// passProgram hands every frame on as it is.
func passProgram() []instruction {
	return []instruction{{op: movImm, dst: 0, imm: xdpPass}, {op: exit}}
}

// Offsets in an Ethernet frame that holds IPv4 and TCP without options.
const (
	atID, atSource, atSourcePort, atPort, atSequence, atWindow, atUrgent = 18, 28, 34, 36, 40, 48, 52
	frameLength                                                          = 54
)

// varyProgram gives each frame a random source port, one of `sources` source addresses and one of `ports` ports,
// portStep apart from `first` on. For each value it writes the complement into a field nobody reads, so that both checksums stay right
// without being computed: x + ^x is always zero in one's complement.
func varyProgram(sources, ports, first int32) []instruction {
	return []instruction{
		{op: load32, dst: 7, src: 1, off: 0}, // xdp_md.data
		{op: load32, dst: 3, src: 1, off: 4}, // xdp_md.data_end
		{op: movReg, dst: 4, src: 7},
		{op: addImm, dst: 4, imm: frameLength},
		{op: jumpOver, dst: 4, src: 3, off: 22},

		{op: call, imm: getRandom},
		{op: movReg, dst: 1, src: 0},
		{op: andImm, dst: 1, imm: 0xffff},
		{op: orImm, dst: 1, imm: 0x0004}, // network order: at least 1024
		{op: store16, dst: 7, src: 1, off: atSourcePort},
		{op: xorImm, dst: 1, imm: 0xffff},
		{op: store16, dst: 7, src: 1, off: atUrgent},

		{op: rshImm, dst: 0, imm: 16},
		{op: andImm, dst: 0, imm: sources - 1},
		{op: toBig, dst: 0, imm: 16},
		{op: store16, dst: 7, src: 0, off: atSource},
		{op: xorImm, dst: 0, imm: 0xffff},
		{op: store16, dst: 7, src: 0, off: atID},     // for the IP header
		{op: store16, dst: 7, src: 0, off: atWindow}, // for the pseudo header

		{op: call, imm: getRandom},
		{op: modImm, dst: 0, imm: ports},
		{op: mulImm, dst: 0, imm: portStep},
		{op: addImm, dst: 0, imm: first},
		{op: toBig, dst: 0, imm: 16},
		{op: store16, dst: 7, src: 0, off: atPort},
		{op: xorImm, dst: 0, imm: 0xffff},
		{op: store16, dst: 7, src: 0, off: atSequence + 2},

		{op: movImm, dst: 0, imm: xdpPass},
		{op: exit},
	}
}

// loadXDP loads a program into the kernel.
func (b *bench) loadXDP(program []instruction) int {
	code, license := encode(program), []byte("GPL\x00")
	log := make([]byte, 64<<10)
	// The beginning of union bpf_attr for BPF_PROG_LOAD.
	attr := struct {
		kind, count          uint32
		code, license        uint64
		logLevel, logSize    uint32
		log                  uint64
		kernelVersion, flags uint32
	}{
		kind: unix.BPF_PROG_TYPE_XDP, count: uint32(len(program)), code: address(code), license: address(license),
		logLevel: 1, logSize: uint32(len(log)), log: address(log),
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	if errno != 0 {
		b.Fatalf("load XDP program: %v\n%s", errno, log)
	}
	b.Cleanup(func() { unix.Close(int(fd)) })
	return int(fd)
}

func address(p []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&p[0]))) }

// inject runs a program over n copies of a frame as if the interface had received them, and gives the CPU time it
// took. It must run in the interface's namespace, on a locked thread.
func inject(program int, frame []byte, ifindex, n int) (time.Duration, error) {
	// struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
	context := make([]byte, 24)
	binary.NativeEndian.PutUint32(context[4:], uint32(len(frame)))
	binary.NativeEndian.PutUint32(context[12:], uint32(ifindex))
	// The beginning of union bpf_attr for BPF_PROG_TEST_RUN.
	attr := struct {
		fd, retval             uint32
		inSize, outSize        uint32
		in, out                uint64
		repeat, duration       uint32
		contextIn, contextOut  uint32
		contextInAt, contextAt uint64
		flags, cpu, batch, _   uint32
	}{
		fd: uint32(program), inSize: uint32(len(frame)), in: address(frame), repeat: uint32(n),
		contextIn: uint32(len(context)), contextInAt: address(context),
		flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES, batch: 64,
	}
	// A pending signal ends the run early (bpf_test_run_xdp_live), and Go's scheduler preempts threads by signals.
	every, old := unix.Sigset_t{}, unix.Sigset_t{}
	for i := range every.Val {
		every.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &every, &old); err != nil {
		return 0, fmt.Errorf("block signals: %w", err)
	}
	before := threadTime()
	_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_TEST_RUN, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr)-4)
	took := threadTime() - before
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return 0, fmt.Errorf("unblock signals: %w", err)
	}
	runtime.KeepAlive(frame)
	runtime.KeepAlive(context)
	if errno != 0 {
		return 0, fmt.Errorf("inject packets: %w", errno)
	}
	return took, nil
}

func threadTime() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now)
	return time.Duration(now.Nano())
}
