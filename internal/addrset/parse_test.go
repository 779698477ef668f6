package addrset

import (
	"errors"
	"io"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParseAcceptsAndNormalises(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"blank lines and comments", "\n  \n\t\n# a comment\n   # another\n", nil},
		{"an address", "192.0.2.1", []string{"192.0.2.1"}},
		{"blanks around and a trailing comment", " \t192.0.2.1\t # why", []string{"192.0.2.1"}},
		{"a comment without a blank", "192.0.2.1#why", []string{"192.0.2.1"}},
		{"CRLF", "192.0.2.1\r\n\r\n192.0.2.2\r\n", []string{"192.0.2.1", "192.0.2.2"}},
		{"CR at the end of the file", "192.0.2.1\r", []string{"192.0.2.1"}},
		{"byte order mark", "\ufeff192.0.2.1\n", []string{"192.0.2.1"}},
		{"byte order mark before a comment", "\ufeff# hello\n192.0.2.1", []string{"192.0.2.1"}},
		{"duplicates", "192.0.2.2\n192.0.2.1\n192.0.2.2\n", []string{"192.0.2.1", "192.0.2.2"}},
		{"neighbours stay single", "192.0.2.1\n192.0.2.0\n", []string{"192.0.2.0", "192.0.2.1"}},
		{"prefix", "192.0.2.0/24", []string{"192.0.2.0/24"}},
		{"prefix of one address", "192.0.2.1/32\n2001:db8::1/128", []string{"192.0.2.1", "2001:db8::1"}},
		{"range of one address", "192.0.2.1-192.0.2.1", []string{"192.0.2.1"}},
		{"range that is a prefix", "192.0.2.0-192.0.2.255", []string{"192.0.2.0/24"}},
		{"range that is none", "192.0.2.1-192.0.2.255", []string{"192.0.2.1-192.0.2.255"}},
		{"range with blanks", "192.0.2.1 \t-  192.0.2.9", []string{"192.0.2.1-192.0.2.9"}},
		{"a single in a range", "192.0.2.7\n192.0.2.0/28\n192.0.2.16", []string{"192.0.2.16", "192.0.2.0/28"}},
		{"overlapping ranges", "192.0.2.0-192.0.2.9\n192.0.2.5-192.0.2.20", []string{"192.0.2.0-192.0.2.20"}},
		{"touching ranges", "192.0.2.0/25\n192.0.2.128/25", []string{"192.0.2.0/24"}},
		{"a range in a range", "10.0.0.0/8\n10.1.0.0/16", []string{"10.0.0.0/8"}},
		{"a gap of one address", "10.0.0.0-10.0.0.4\n10.0.0.6-10.0.0.7", []string{"10.0.0.0-10.0.0.4", "10.0.0.6/31"}},
		{"the ends of IPv4", "0.0.0.0\n255.255.255.255", []string{"0.0.0.0", "255.255.255.255"}},
		{"ranges at the ends of IPv4", "0.0.0.0/31\n255.255.255.254/31", []string{"0.0.0.0/31", "255.255.255.254/31"}},
		{"all of IPv4", "0.0.0.0/0\n1.2.3.4\n255.255.255.0/24", []string{"0.0.0.0/0"}},
		{"the ends of IPv6", "::\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			[]string{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
		{"all of IPv6", "8000::/1\n::/1\nffff::1", []string{"::/0"}},
		{"a range over the 64-bit border", "2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::",
			[]string{"2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::"}},
		{"ranges that touch at the 64-bit border", "2001:db8::/64\n2001:db8:0:1::/64", []string{"2001:db8::/63"}},
		{"IPv6 is written short", "2001:DB8:0:0::0:1", []string{"2001:db8::1"}},
		{"IPv6 with an IPv4 tail", "64:ff9b::192.0.2.1", []string{"64:ff9b::c000:201"}},
		{"families stay apart", "::1.2.3.4\n1.2.3.4", []string{"1.2.3.4", "::102:304"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := mustParse(t, test.text)
			if got := slices.Collect(s.Texts()); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			// Reading from a slow source must not change where lines end.
			slow, err := Parse(iotest.OneByteReader(strings.NewReader(test.text)), Limits{})
			if err != nil || digests(slow) != digests(s) {
				t.Errorf("read byte by byte: %v, %v", slices.Collect(slow.Texts()), err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	long := strings.Repeat("x", 100)
	tests := []struct {
		name, text string
		want       string
	}{
		{"a word", "1.1.1.1\n\n  host.example\n", `line 3, column 3: "host.example": not an IP address, prefix or range`},
		{"host bits", "10.0.0.1/24", `line 1, column 1: "10.0.0.1/24": host bits are set, the prefix is 10.0.0.0/24`},
		{"IPv6 host bits", "2001:db8::1/32", `line 1, column 1: "2001:db8::1/32": host bits are set, the prefix is 2001:db8::/32`},
		{"IPv4-mapped", "::ffff:192.0.2.1", `line 1, column 1: "::ffff:192.0.2.1": an IPv4-mapped address never stands in a packet, write 192.0.2.1`},
		{"IPv4-mapped in hexadecimal", "::ffff:c000:201", `line 1, column 1: "::ffff:c000:201": an IPv4-mapped address never stands in a packet, write 192.0.2.1`},
		{"IPv4-mapped prefix", "::ffff:0:0/96", `line 1, column 1: "::ffff:0:0/96": an IPv4-mapped address never stands in a packet, write 0.0.0.0`},
		{"zone", "fe80::1%eth0", `line 1, column 1: "fe80::1%eth0": an address in a list has no zone`},
		{"prefix too long", "10.0.0.0/33", `line 1, column 10: "10.0.0.0/33": prefix length must be a number from 0 to 32`},
		{"IPv6 prefix too long", "::/129", `line 1, column 4: "::/129": prefix length must be a number from 0 to 128`},
		{"netmask", "10.0.0.0/255.0.0.0", `line 1, column 10: "10.0.0.0/255.0.0.0": prefix length must be a number from 0 to 32`},
		{"no prefix length", "10.0.0.0/", `line 1, column 10: "10.0.0.0/": prefix length must be a number from 0 to 32`},
		{"signed prefix length", "10.0.0.0/+8", `line 1, column 10: "10.0.0.0/+8": prefix length must be a number from 0 to 32`},
		{"padded prefix length", "10.0.0.0/08", `line 1, column 10: "10.0.0.0/08": prefix length must be a number from 0 to 32`},
		{"no address before the length", "/8", `line 1, column 1: "/8": an IP address is missing`},
		{"reversed range", "10.0.0.9-10.0.0.1", `line 1, column 1: "10.0.0.9-10.0.0.1": range ends before it begins`},
		{"range of two families", "10.0.0.1-::1", `line 1, column 1: "10.0.0.1-::1": range begins with one address family and ends with another`},
		{"half a range", "10.0.0.1- ", `line 1, column 10: "10.0.0.1-": an IP address is missing`},
		{"short range", "10.0.0.1-9", `line 1, column 10: "10.0.0.1-9": not an IP address, prefix or range`},
		{"range to a mapped address", "::1-::ffff:1.2.3.4", `line 1, column 5: "::1-::ffff:1.2.3.4": an IPv4-mapped address never stands in a packet, write 1.2.3.4`},
		{"two on a line", "10.0.0.1 10.0.0.2", `line 1, column 10: "10.0.0.1 10.0.0.2": unexpected '1' after the address: one entry a line, comments begin with #`},
		{"another comment sign", "10.0.0.0 ; DROP", `line 1, column 10: "10.0.0.0 ; DROP": unexpected ';' after the address: one entry a line, comments begin with #`},
		{"a comma", "10.0.0.1,10.0.0.2", `line 1, column 9: "10.0.0.1,10.0.0.2": unexpected ',' after the address: one entry a line, comments begin with #`},
		{"leading zero", "10.0.0.010", `line 1, column 1: "10.0.0.010": not an IP address: an octet with a leading zero could be meant as octal`},
		{"octet too large", "10.0.0.256", `line 1, column 1: "10.0.0.256": not an IP address, prefix or range`},
		{"three octets", "10.0.0", `line 1, column 1: "10.0.0": not an IP address, prefix or range`},
		{"two gaps", "1::2::3", `line 1, column 1: "1::2::3": not an IP address, prefix or range`},
		{"UTF-16", "\xff\xfe1\x00.\x00", "line 1, column 1: \"\\xff\\xfe1\\x00.\\x00\": not text: the list must be UTF-8 or ASCII"},
		{"a byte order mark further on", "1.1.1.1\n\ufeff1.1.1.2", "line 2, column 1: \"\\ufeff1.1.1.2\": not an IP address, prefix or range"},
		{"a long word is cut", long, `line 1, column 1: "` + long[:64] + `...": not an IP address, prefix or range`},
		{"a line too long", "1.1.1.1\n#" + strings.Repeat(" ", 5000), "line 2: the line is longer than 4096 bytes"},
		{"a line without an end", strings.Repeat("1", 1<<20), "line 1: the line is longer than 4096 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := Parse(strings.NewReader(test.text), Limits{})
			var parseError *ParseError
			if s != nil || !errors.As(err, &parseError) || err.Error() != test.want {
				t.Errorf("got  %v\nwant %v", err, test.want)
			}
		})
	}
}

func TestParseKeepsItsLimits(t *testing.T) {
	line := strings.Repeat(" ", 20) + "1.1.1.1" // 27 bytes
	tests := []struct {
		name, text string
		limits     Limits
		want       string // "" when the text is within them
	}{
		{"as many entries", "1.1.1.1\n1.1.1.1\n", Limits{Entries: 2}, ""},
		{"one entry more", "1.1.1.1\n1.1.1.1\n1.1.1.1\n", Limits{Entries: 2}, "line 3: the list has more than 2 entries"},
		{"one entry more on the slow path", "::1\n::1\n::1\n", Limits{Entries: 2}, "line 3: the list has more than 2 entries"},
		{"as many bytes", "1.1.1.1\n", Limits{Bytes: 8}, ""},
		{"one byte more", "1.1.1.1\n\n", Limits{Bytes: 8}, "line 1: the list is longer than 8 bytes"},
		{"as long a line", line + "\n", Limits{Line: 27}, ""},
		{"as long a line with CRLF", line + "\r\n" + line + "\r", Limits{Line: 27}, ""},
		{"a longer line", line + " \n", Limits{Line: 27}, "line 1: the line is longer than 27 bytes"},
		{"a longer last line", line + " ", Limits{Line: 27}, "line 1: the line is longer than 27 bytes"},
		{"no line is longer than the buffer", "#" + strings.Repeat(" ", MaxLine) + "\n", Limits{Line: 1 << 30}, "line 1: the line is longer than 65534 bytes"},
		{"a line as long as the buffer", "#" + strings.Repeat(" ", MaxLine-1) + "\r\n1.1.1.1", Limits{Line: 1 << 30}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse(strings.NewReader(test.text), test.limits)
			if got := errorText(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestParseReportsItsReader(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := Parse(io.MultiReader(strings.NewReader("1.1.1.1\n"), iotest.ErrReader(broken)), Limits{})
	if !errors.Is(err, broken) || err.Error() != "line 2: read: disk on fire" {
		t.Errorf("got %v", err)
	}
	if _, err := Parse(idleReader{}, Limits{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that never gives anything: %v", err)
	}
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

// TestParseHoldsLittleMoreThanItsResult bounds all that is allocated, garbage included, for a list of a million.
func TestParseHoldsLittleMoreThanItsResult(t *testing.T) {
	text := listText(1_000_000, randomIPv4)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := Parse(strings.NewReader(string(text)), Limits{})
	runtime.ReadMemStats(&after)
	if err != nil || s.Part(Addrs4).Len() < 999_000 {
		t.Fatalf("%d addresses, %v", s.Len(), err)
	}
	// The copy of the text made above, 14.3 MB, is not Parse's.
	allocated := after.TotalAlloc - before.TotalAlloc - uint64(len(text))
	if limit := uint64(11 << 20); allocated > limit {
		t.Errorf("allocated %d bytes for a result of 4,000,000, want at most %d", allocated, limit)
	}
}

func TestAddTextSaysWhatIsWrong(t *testing.T) {
	var b Builder
	for _, good := range []string{"192.0.2.1", " 192.0.2.0/24 ", "2001:db8::1-2001:db8::2"} {
		if err := b.AddText(good); err != nil {
			t.Errorf("AddText(%q) = %v", good, err)
		}
	}
	for text, want := range map[string]string{
		"":            "an IP address is missing",
		"10.0.0.1/8":  "host bits are set, the prefix is 10.0.0.0/8",
		"192.0.2.1 #": "unexpected '#' after the address: one entry a line, comments begin with #",
	} {
		if err := b.AddText(text); errorText(err) != want {
			t.Errorf("AddText(%q) = %v, want %s", text, err, want)
		}
	}
	if b.Len() != 3 {
		t.Errorf("the builder holds %d entries, want 3: errors add nothing", b.Len())
	}
}

func TestBuilderRefuses(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	mapped, zoned := netip.MustParseAddr("::ffff:1.2.3.4"), netip.MustParseAddr("fe80::1%lo")
	var b Builder
	for name, err := range map[string]error{
		"invalid address":  b.AddAddr(netip.Addr{}),
		"mapped address":   b.AddAddr(mapped),
		"zone":             b.AddAddr(zoned),
		"invalid prefix":   b.AddPrefix(netip.Prefix{}),
		"overlong prefix":  b.AddPrefix(netip.PrefixFrom(four, 33)),
		"host bits":        b.AddPrefix(netip.PrefixFrom(four, 24)),
		"mapped prefix":    b.AddPrefix(netip.PrefixFrom(mapped, 128)),
		"reversed range":   b.AddRange(six.Next(), six),
		"mixed range":      b.AddRange(four, six),
		"range to nowhere": b.AddRange(four, netip.Addr{}),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if b.Len() != 0 {
		t.Errorf("the builder holds %d entries, want none", b.Len())
	}
}
