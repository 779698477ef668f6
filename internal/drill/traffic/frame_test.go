package traffic

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

var (
	near = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	far  = net.HardwareAddr{2, 0, 0, 0, 0, 2}
)

func ap(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

// TestFrame compares with packets that were built without shortcuts.
func TestFrame(t *testing.T) {
	for _, tt := range []struct {
		name, from, to string
		flags          byte
		etherType      []byte
		change         func(*Frame)
		wantFrom       string
		wantSeq        uint32
	}{
		{"an IPv4 SYN", "192.0.2.1:1024", "198.51.100.7:443", flagSYN, []byte{8, 0}, func(*Frame) {}, "192.0.2.1:1024", 0},
		{"an IPv4 ACK", "192.0.2.1:1024", "198.51.100.7:443", flagACK, []byte{8, 0}, func(*Frame) {}, "192.0.2.1:1024", 0},
		{"an IPv6 SYN", "[2001:db8::1]:1024", "[2001:db8::7]:443", flagSYN, []byte{0x86, 0xdd}, func(*Frame) {}, "[2001:db8::1]:1024", 0},
		{"another IPv4 source", "192.0.2.1:1024", "198.51.100.7:443", flagSYN, []byte{8, 0},
			func(f *Frame) { f.SetSource4(0x0a0102ff) }, "10.1.2.255:1024", 0},
		{"another port", "192.0.2.1:1024", "198.51.100.7:443", flagSYN, []byte{8, 0},
			func(f *Frame) { f.SetSourcePort(65535) }, "192.0.2.1:65535", 0},
		{"another sequence number", "192.0.2.1:1024", "198.51.100.7:443", flagSYN, []byte{8, 0},
			func(f *Frame) { f.SetSequence(0xfffefffd) }, "192.0.2.1:1024", 0xfffefffd},
		{"another IPv6 host", "[2001:db8::1]:1024", "[2001:db8::7]:443", flagSYN, []byte{0x86, 0xdd},
			func(f *Frame) { f.SetHost6(0x0123456789abcdef) }, "[2001:db8::123:4567:89ab:cdef]:1024", 0},
		{"all of it", "[2001:db8::1]:1", "[2001:db8::7]:2", flagACK, []byte{0x86, 0xdd},
			func(f *Frame) { f.SetHost6(0); f.SetSourcePort(0xffff); f.SetSequence(7) }, "[2001:db8::]:65535", 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := NewFrame(near, far, ap(tt.from), ap(tt.to), tt.flags)
			tt.change(f)
			want := append(append(append([]byte{}, far...), near...), tt.etherType...)
			want = append(want, nettest.Segment(ap(tt.wantFrom), ap(tt.to), nettest.Flags(tt.flags), tt.wantSeq, 0)...)
			if !bytes.Equal(f.Bytes(), want) {
				t.Errorf("got  %x\nwant %x", f.Bytes(), want)
			}
		})
	}
}

// TestChecksumsStayRight changes a frame many times over, as a flood does: an error of the incremental checksum would
// stay and show.
func TestChecksumsStayRight(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	to4, to6 := ap("198.51.100.7:443"), ap("[2001:db8::7]:443")
	for _, tt := range []struct {
		name string
		from string
		to   netip.AddrPort
		vary Vary
	}{
		{"random IPv4 sources", "10.0.0.1:1", to4, FromPrefix4(netip.MustParsePrefix("10.0.0.0/8"))},
		{"a thousand sources", "10.0.0.1:1", to4, FromMany(netip.MustParseAddr("10.0.0.1"), 1000)},
		{"one source", "10.0.0.1:1", to4, FromOne},
		{"a rotating /64", "[2001:db8:bad::1]:1", to6, FromSubnet6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := NewFrame(near, far, ap(tt.from), tt.to, flagSYN)
			for range 100_000 {
				tt.vary(f, r)
			}
			fresh := f.Clone()
			fresh.seal()
			if !bytes.Equal(f.Bytes(), fresh.Bytes()) {
				t.Errorf("got  %x\nwant %x", f.Bytes(), fresh.Bytes())
			}
		})
	}
}

func TestSourcesOfFloods(t *testing.T) {
	for _, tt := range []struct {
		name    string
		from    string
		vary    Vary
		within  string
		sources [2]int // at least, at most, of 20000 packets
	}{
		{"random", "10.0.0.1:1", FromPrefix4(netip.MustParsePrefix("10.0.0.0/8")), "10.0.0.0/8", [2]int{19900, 20000}},
		{"a thousand", "10.0.0.1:1", FromMany(netip.MustParseAddr("10.0.0.1"), 1000), "10.0.0.0/14", [2]int{1000, 1000}},
		{"one", "10.0.0.1:1", FromOne, "10.0.0.1/32", [2]int{1, 1}},
		{"rotating", "[2001:db8:bad:bad::1]:1", FromSubnet6, "2001:db8:bad:bad::/64", [2]int{20000, 20000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to := ap("198.51.100.7:443")
			if ap(tt.from).Addr().Is6() {
				to = ap("[2001:db8::7]:443")
			}
			f, r := NewFrame(near, far, ap(tt.from), to, flagSYN), rand.New(rand.NewPCG(3, 4))
			seen := map[netip.Addr]bool{}
			for range 20000 {
				tt.vary(f, r)
				a, _ := netip.AddrFromSlice(f.source())
				if !netip.MustParsePrefix(tt.within).Contains(a) {
					t.Fatalf("%v is outside %s", a, tt.within)
				}
				seen[a] = true
			}
			if len(seen) < tt.sources[0] || len(seen) > tt.sources[1] {
				t.Errorf("%d sources, want %v", len(seen), tt.sources)
			}
		})
	}
}
