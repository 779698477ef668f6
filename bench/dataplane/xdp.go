package main

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// dropAll is what the machine needs at least to receive a packet.
func dropAll(s *site) {
	s.attach(s.b.load("drop", ebpf.XDP, asm.Instructions{asm.Mov.Imm(asm.R0, xdpDrop), asm.Return()}))
}

// cookie answers SYNs in the driver with the kernel's own SYN cookies, and lets only those ACKs pass that belong to a
// connection or bring a cookie back. It takes TCP headers of 20 bytes and, as Linux clients send, 40; its answer has no
// options. It shows what such a defence costs at least, and limits nobody.
func cookie(s *site) {
	// Cookies are accepted always, because the kernel has sent none itself.
	s.Server.SetSysctl(s.b, "net/ipv4/tcp_syncookies", "2")
	s.swallowInDriver()
	ins := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R1, 0, asm.Word), // xdp_md.data
		asm.LoadMem(asm.R3, asm.R1, 4, asm.Word), // xdp_md.data_end
		asm.Mov.Reg(asm.R4, asm.R7),
		asm.Add.Imm(asm.R4, ethernetLength+20+tcpLength),
		asm.JGT.Reg(asm.R4, asm.R3, "pass"),
		asm.LoadMem(asm.R4, asm.R7, 12, asm.Half),
		asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.JEq.Imm(asm.R4, 0x86dd, "v6"),
		asm.JNE.Imm(asm.R4, 0x0800, "pass"),
	}
	for _, p := range []cookieCode{{name: "v4", ip: 20, protocol: 9, addresses: 12, width: 4}, {name: "v6", ip: 40, protocol: 6, addresses: 8, width: 16}} {
		p.port = int32(s.defence.port)
		ins = append(ins, p.code()...)
	}
	ins = append(ins,
		asm.Mov.Reg(asm.R1, asm.R8).WithSymbol("release"),
		asm.FnSkRelease.Call(),
		asm.Mov.Imm(asm.R0, xdpPass).WithSymbol("pass"),
		asm.Return())
	s.attach(s.b.load("cookie", ebpf.XDP, ins))
}

// cookieCode assembles the program for one family. Registers: R6 the context, R7 the frame, R8 the socket, R9 the
// cookie.
type cookieCode struct {
	name                           string
	ip, protocol, addresses, width int16 // offsets and sizes in the IP header
	port                           int32
}

func (p cookieCode) label(name string) string { return p.name + "." + name }

// tcp is where the TCP header begins.
func (p cookieCode) tcp() int16 { return ethernetLength + p.ip }

const listening = 10 // TCP_LISTEN

func (p cookieCode) code() asm.Instructions {
	tcp := p.tcp()
	ins := asm.Instructions{
		asm.Mov.Reg(asm.R4, asm.R7).WithSymbol(p.name),
		asm.Add.Imm(asm.R4, int32(tcp+tcpLength)),
		asm.JGT.Reg(asm.R4, asm.R3, "pass"),
		asm.LoadMem(asm.R4, asm.R7, ethernetLength+p.protocol, asm.Byte),
		asm.JNE.Imm(asm.R4, 6, "pass"),
		asm.LoadMem(asm.R4, asm.R7, tcp+2, asm.Half),
		asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.JNE.Imm(asm.R4, p.port, "pass"),
	}
	// struct bpf_sock_tuple: source and destination address, source and destination port.
	size := 2*p.width + 4
	for at := int16(0); at < size; at += 4 {
		from := ethernetLength + p.addresses + at
		if at == size-4 {
			from = tcp
		}
		ins = append(ins, asm.LoadMem(asm.R4, asm.R7, from, asm.Word), asm.StoreMem(asm.R10, at-size, asm.R4, asm.Word))
	}
	ins = append(ins,
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, int32(-size)),
		asm.Mov.Imm(asm.R3, int32(size)),
		asm.Mov.Imm(asm.R4, -1), // BPF_F_CURRENT_NETNS
		asm.Mov.Imm(asm.R5, 0),
		asm.FnSkcLookupTcp.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Mov.Reg(asm.R8, asm.R0),
		asm.LoadMem(asm.R4, asm.R8, 72, asm.Word), // bpf_sock.state
		asm.JNE.Imm(asm.R4, listening, "release"),
		asm.LoadMem(asm.R4, asm.R7, tcp+13, asm.Byte),
		asm.And.Imm(asm.R4, 0x16), // ACK, RST, SYN
		asm.JEq.Imm(asm.R4, 0x10, p.label("ack")),
		asm.JNE.Imm(asm.R4, 0x02, "release"))
	ins = append(ins, p.syn()...)
	return append(ins, p.ack()...)
}

// arguments are those of both cookie helpers.
func (p cookieCode) arguments(tcpLength int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, ethernetLength),
		asm.Mov.Imm(asm.R3, int32(p.ip)),
		asm.Mov.Reg(asm.R4, asm.R7),
		asm.Add.Imm(asm.R4, int32(p.tcp())),
		asm.Mov.Imm(asm.R5, tcpLength),
	}
}

// ack drops what does not bring a cookie back.
func (p cookieCode) ack() asm.Instructions {
	ins := p.arguments(tcpLength)
	ins[0] = ins[0].WithSymbol(p.label("ack"))
	return append(ins,
		asm.FnTcpCheckSyncookie.Call(),
		asm.JEq.Imm(asm.R0, 0, "release"),
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.FnSkRelease.Call(),
		asm.Mov.Imm(asm.R0, xdpDrop),
		asm.Return())
}

// syn makes the cookie, and the SYN-ACK out of the SYN.
func (p cookieCode) syn() asm.Instructions {
	tcp := p.tcp()
	ins := asm.Instructions{
		asm.LoadMem(asm.R4, asm.R7, tcp+12, asm.Byte),
		asm.And.Imm(asm.R4, 0xf0),
		asm.JEq.Imm(asm.R4, 5<<4, p.label("bare")),
		asm.JNE.Imm(asm.R4, 10<<4, "release"),
		asm.LoadMem(asm.R3, asm.R6, 4, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R7),
		asm.Add.Imm(asm.R4, int32(tcp+40)),
		asm.JGT.Reg(asm.R4, asm.R3, "release"),
	}
	ins = append(ins, p.arguments(40)...)
	ins = append(ins, asm.FnTcpGenSyncookie.Call(), asm.Ja.Label(p.label("made")))
	bare := p.arguments(tcpLength)
	bare[0] = bare[0].WithSymbol(p.label("bare"))
	ins = append(ins, bare...)
	ins = append(ins,
		asm.FnTcpGenSyncookie.Call(),
		asm.Mov.Reg(asm.R9, asm.R0).WithSymbol(p.label("made")),
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.FnSkRelease.Call(),
		asm.JSLT.Imm(asm.R9, 0, "pass"))
	ins = append(ins, swap(0, 6, 4)...)
	ins = append(ins, swap(4, 10, 2)...)
	for at := int16(0); at < p.width; at += 4 {
		ins = append(ins, swap(ethernetLength+p.addresses+at, ethernetLength+p.addresses+p.width+at, 4)...)
	}
	ins = append(ins, swap(tcp, tcp+2, 2)...)
	ins = append(ins,
		asm.LoadMem(asm.R4, asm.R7, tcp+4, asm.Word),
		asm.HostTo(asm.BE, asm.R4, asm.Word),
		asm.Add.Imm(asm.R4, 1),
		asm.HostTo(asm.BE, asm.R4, asm.Word),
		asm.StoreMem(asm.R7, tcp+8, asm.R4, asm.Word),
		asm.HostTo(asm.BE, asm.R9, asm.Word),
		asm.StoreMem(asm.R7, tcp+4, asm.R9, asm.Word),
		asm.StoreImm(asm.R7, tcp+12, 0x1250, asm.Half), // 20 bytes; SYN and ACK
		asm.StoreImm(asm.R7, tcp+14, 0xffff, asm.Half),
		asm.StoreImm(asm.R7, tcp+16, 0, asm.Word))
	if p.ip == 20 {
		ins = append(ins,
			asm.StoreImm(asm.R7, ethernetLength+2, 40<<8, asm.Half), // length; what is behind it is padding
			asm.StoreImm(asm.R7, offChecksum4, 0, asm.Half))
		ins = append(ins, csum(ethernetLength, 20, 0)...)
		ins = append(ins, checksum(asm.R0, 0, offChecksum4)...)
	} else {
		ins = append(ins, asm.StoreImm(asm.R7, ethernetLength+4, 20<<8, asm.Half))
	}
	// Addresses and the TCP header are neighbours.
	ins = append(ins, csum(ethernetLength+p.addresses, int32(2*p.width+tcpLength), words([]byte{0, 6, 0, tcpLength}))...)
	ins = append(ins, checksum(asm.R0, 0, tcp+16)...)
	return append(ins, asm.Mov.Imm(asm.R0, xdpTx), asm.Return())
}

// swap exchanges two fields of 2 or 4 bytes.
func swap(a, b, width int16) asm.Instructions {
	size := asm.Word
	if width == 2 {
		size = asm.Half
	}
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.R7, a, size), asm.LoadMem(asm.R2, asm.R7, b, size),
		asm.StoreMem(asm.R7, a, asm.R2, size), asm.StoreMem(asm.R7, b, asm.R1, size),
	}
}

// csum adds up a part of the frame into R0.
func csum(at int16, size, seed int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm(asm.R1, 0),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.R7),
		asm.Add.Imm(asm.R3, int32(at)),
		asm.Mov.Imm(asm.R4, size),
		asm.Mov.Imm(asm.R5, seed),
		asm.FnCsumDiff.Call(),
	}
}
