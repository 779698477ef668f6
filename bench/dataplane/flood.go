package main

import (
	"encoding/binary"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// flood is a kind of packets that nobody answers for. Every packet has a source port and a sequence number of its own.
type flood struct {
	name    string
	flags   nettest.Flags
	first   netip.Addr // of the sources
	sources int32      // how many addresses in a row are used, at random; IPv4 only
	rotate  bool       // IPv6: a random address of the source's /64
}

var (
	spoofed = nettest.Spoofed4.Addr()
	prefix6 = nettest.Spoofed6.Addr()

	randomSYN  = flood{name: "random spoofed SYN", flags: nettest.SYN, first: spoofed, sources: 1 << 23}
	oneSource  = flood{name: "one source", flags: nettest.SYN, first: spoofed.Next(), sources: 1}
	thousand   = flood{name: "1000 sources", flags: nettest.SYN, first: spoofed.Next(), sources: 1000}
	rotating64 = flood{name: "rotating /64", flags: nettest.SYN, first: prefix6, rotate: true}
	randomACK  = flood{name: "random ACK", flags: nettest.ACK, first: spoofed, sources: 1 << 23}

	floods = []flood{randomSYN, oneSource, thousand, rotating64, randomACK}
)

const (
	ethernetLength = 14
	tcpLength      = 20

	offSource4   = ethernetLength + 12
	offChecksum4 = ethernetLength + 10
	offSource6   = ethernetLength + 8
)

// frame is the template that the program changes: its variable fields and its checksums are zero.
func (f flood) frame(to netip.AddrPort, destination, source []byte) []byte {
	kind, from := uint16(0x0800), f.first
	if from.Is6() {
		kind = 0x86dd
	}
	frame := append(append([]byte(nil), destination...), source...)
	frame = binary.BigEndian.AppendUint16(frame, kind)
	frame = append(frame, nettest.Segment(netip.AddrPortFrom(from, 0), to, f.flags, 0, 1)...)
	tcp := f.tcp()
	clear(frame[tcp+16 : tcp+18])
	if from.Is4() {
		clear(frame[offSource4 : offSource4+4])
		clear(frame[offChecksum4 : offChecksum4+2])
	} else if f.rotate {
		clear(frame[offSource6+8 : offSource6+16])
	}
	return frame
}

// tcp is where the TCP header begins.
func (f flood) tcp() int {
	if f.first.Is6() {
		return ethernetLength + 40
	}
	return ethernetLength + 20
}

// words adds up 16-bit words as the machine reads them: RFC 1071 sums do not depend on byte order.
func words(b []byte) (sum int32) {
	for ; len(b) > 1; b = b[2:] {
		sum += int32(binary.NativeEndian.Uint16(b))
	}
	return sum
}

// pseudo is the pseudo header's sum, without what varies of the source.
func (f flood) pseudo(frame []byte) int32 {
	rest := words([]byte{0, 6, 0, tcpLength})
	if f.first.Is6() {
		return rest + words(frame[offSource6:offSource6+32])
	}
	return rest + words(frame[offSource4+4:offSource4+8])
}

// program assembles the XDP program that makes a packet out of the template and redirects it to an interface. Registers:
// R7 the frame, R8 the sum of what it wrote under the TCP checksum, R9 that of the source address alone.
func (f flood) program(frame []byte, ifindex int) asm.Instructions {
	tcp := int16(f.tcp())
	ins := asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, 0, asm.Word), // xdp_md.data
		asm.LoadMem(asm.R3, asm.R1, 4, asm.Word), // xdp_md.data_end
		asm.Mov.Reg(asm.R4, asm.R7),
		asm.Add.Imm(asm.R4, int32(len(frame))),
		asm.JGT.Reg(asm.R4, asm.R3, "short"),
		asm.Mov.Imm(asm.R8, 0),
	}
	if f.first.Is4() {
		first := f.first.As4()
		ins = append(ins,
			asm.FnGetPrandomU32.Call(),
			asm.Mod.Imm(asm.R0, f.sources),
			asm.Add.Imm(asm.R0, int32(binary.BigEndian.Uint32(first[:]))),
			asm.HostTo(asm.BE, asm.R0, asm.Word))
		ins = append(ins, put32(offSource4)...)
	} else if f.rotate {
		for _, at := range []int16{offSource6 + 8, offSource6 + 12} {
			ins = append(append(ins, asm.FnGetPrandomU32.Call()), put32(at)...)
		}
	}
	ins = append(ins,
		asm.Mov.Reg(asm.R9, asm.R8),
		asm.FnGetPrandomU32.Call(),
		asm.And.Imm(asm.R0, 0xffff),
		asm.Or.Imm(asm.R0, 4), // in network order: at least 1024
		asm.StoreMem(asm.R7, tcp, asm.R0, asm.Half),
		asm.Add.Reg(asm.R8, asm.R0),
		asm.FnGetPrandomU32.Call())
	ins = append(ins, put32(tcp+4)...)
	if f.first.Is4() {
		ins = append(ins, checksum(asm.R9, words(frame[ethernetLength:tcp]), offChecksum4)...)
	}
	ins = append(ins, checksum(asm.R8, f.pseudo(frame)+words(frame[tcp:]), tcp+16)...)
	return append(ins,
		asm.Mov.Imm(asm.R1, int32(ifindex)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, xdpDrop).WithSymbol("short"),
		asm.Return())
}

// The actions of an XDP program, enum xdp_action.
const (
	xdpDrop = 1
	xdpPass = 2
	xdpTx   = 3
)

// put32 writes R0 into the frame and adds its halves to the sum in R8.
func put32(at int16) asm.Instructions {
	return asm.Instructions{
		asm.StoreMem(asm.R7, at, asm.R0, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.And.Imm(asm.R1, 0xffff),
		asm.Add.Reg(asm.R8, asm.R1),
		asm.LSh.Imm(asm.R0, 32),
		asm.RSh.Imm(asm.R0, 48),
		asm.Add.Reg(asm.R8, asm.R0),
	}
}

// checksum adds the template's sum, folds twice and writes the complement.
func checksum(sum asm.Register, rest int32, at int16) asm.Instructions {
	ins := asm.Instructions{asm.Mov.Reg(asm.R1, sum), asm.Add.Imm(asm.R1, rest)}
	for range 2 {
		ins = append(ins,
			asm.Mov.Reg(asm.R2, asm.R1),
			asm.RSh.Imm(asm.R2, 16),
			asm.And.Imm(asm.R1, 0xffff),
			asm.Add.Reg(asm.R1, asm.R2))
	}
	return append(ins, asm.Xor.Imm(asm.R1, 0xffff), asm.StoreMem(asm.R7, at, asm.R1, asm.Half))
}

// load loads an XDP program into the kernel.
func (b *bench) load(name string, kind ebpf.ProgramType, ins asm.Instructions) *ebpf.Program {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: kind, Instructions: ins, License: "GPL"})
	if err != nil {
		b.Fatalf("load program %s: %+v", name, err)
	}
	b.Cleanup(func() { program.Close() })
	return program
}
