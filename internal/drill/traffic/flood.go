package traffic

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"
)

// Pace says how many packets a second are due at a time since the start.
type Pace func(since time.Duration) float64

// Constant is the same rate all the time.
func Constant(perSecond int) Pace {
	return func(time.Duration) float64 { return float64(perSecond) }
}

// Flood is packets that nobody answers for.
type Flood struct {
	Wire  *Wire
	Pace  Pace
	Seed  uint64
	Lanes []Lane // one for each destination, used in turn
}

// Lane is packets to one destination: a template, and what to change in it before each is sent.
type Lane struct {
	Template *Frame
	Vary     Vary
}

// Vary changes a frame before it is sent.
type Vary func(f *Frame, r *rand.Rand)

// lateness bounds how much a sender that was held up makes up for: a burst would be another attack than the one named.
const lateness = 20 * time.Millisecond

// Run sends until the context is done and gives the number of packets sent.
func (f Flood) Run(ctx context.Context) (sent uint64, err error) {
	r := rand.New(rand.NewPCG(f.Seed, 1))
	frames := make([]*Frame, batch)
	vary := make([]Vary, batch)
	for i := range frames {
		lane := f.Lanes[i%len(f.Lanes)]
		frames[i], vary[i] = lane.Template.Clone(), lane.Vary
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	start := time.Now()
	last, due := time.Duration(0), 0.0
	for ctx.Err() == nil {
		now := time.Since(start)
		rate := f.Pace(now)
		due = min(due+rate*(now-last).Seconds(), max(1, rate*lateness.Seconds()))
		for last = now; due >= 1 && ctx.Err() == nil; {
			n := min(int(due), batch)
			for i := range n {
				vary[i](frames[i], r)
			}
			took, err := f.Wire.Send(frames[:n])
			if err != nil {
				return sent, err
			}
			sent += uint64(took)
			due -= float64(n)
		}
		<-ticker.C
	}
	return sent, nil
}

// port gives a random ephemeral port.
func port(r *rand.Rand) uint16 { return uint16(1024 + r.IntN(64512)) }

// connectionless varies what any new connection would have of its own.
func connectionless(f *Frame, r *rand.Rand) {
	f.SetSourcePort(port(r))
	f.SetSequence(r.Uint32())
}

// FromOne varies nothing but the port: all packets come from the template's source.
func FromOne(f *Frame, r *rand.Rand) { connectionless(f, r) }

// FromPrefix4 takes a random address of an IPv4 prefix for each packet.
func FromPrefix4(p netip.Prefix) Vary {
	base, hosts := p.Masked().Addr().As4(), uint32(1)<<(32-p.Bits())-1
	first := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8 | uint32(base[3])
	return func(f *Frame, r *rand.Rand) {
		f.SetSource4(first | r.Uint32()&hosts)
		connectionless(f, r)
	}
}

// FromMany takes one of n addresses, 256 apart, counted from an IPv4 address on.
func FromMany(first netip.Addr, n uint32) Vary {
	b := first.As4()
	base := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	return func(f *Frame, r *rand.Rand) {
		f.SetSource4(base + r.Uint32N(n)<<8)
		connectionless(f, r)
	}
}

// FromSubnet6 takes a random address of the /64 of the template's source for each packet.
func FromSubnet6(f *Frame, r *rand.Rand) {
	f.SetHost6(r.Uint64())
	connectionless(f, r)
}
