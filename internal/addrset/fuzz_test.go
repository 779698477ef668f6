package addrset

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzParse holds that nothing panics, that the result is in normal form, that what it prints is read back as the same
// set, and that an error points into the text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		mixed, "", "\ufeff1.2.3.4 # x\r\n", "0.0.0.0/0\n::/0", "255.255.255.255\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"10.0.0.1/24", "1.2.3.4-1.2.3.3", "::ffff:1.2.3.4", "1.2.3.4 - 1.2.3.9\n1.2.3.9", "fe80::1%eth0", "01.2.3.4", "\xff\xfe",
		"1.2.3.4\n\r\n\r", "1:2:3:4:5:6:7::", "::1:2:3:4:5:6:7:8", "/", "-", "1.2.3.4/", "-1.2.3.4", "#",
	} {
		f.Add([]byte(seed))
	}
	limits := Limits{Bytes: 1 << 16, Entries: 200, Line: 300}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(bytes.NewReader(text), limits)
		slow, slowErr := Parse(iotest.OneByteReader(bytes.NewReader(text)), limits)
		var bad *ParseError
		if errors.As(err, &bad) {
			if errorText(err) != errorText(slowErr) {
				t.Errorf("read at once: %v; byte by byte: %v", err, slowErr)
			}
			if lines := bytes.Count(text, []byte{'\n'}) + 1; bad.Line < 1 || bad.Line > lines || bad.Column < 0 || bad.Column > limits.Line+1 {
				t.Errorf("%v points outside the text of %d lines", bad, lines)
			}
			return
		}
		if err != nil || slowErr != nil {
			t.Fatalf("%v, %v", err, slowErr)
		}
		checkNormal(t, s)
		var printed strings.Builder
		for entry := range s.Texts() {
			printed.WriteString(entry + "\n")
		}
		again := mustParse(t, printed.String())
		if digests(again) != digests(s) || digests(slow) != digests(s) {
			t.Errorf("%q is printed as %q, which is another set", text, printed.String())
		}
	})
}

// FuzzAddress holds the fast paths to netip.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{
		"0.0.0.0", "255.255.255.255", "1.2.3", "1.2.3.4.5", "1..2.3", "00.1.2.3", "1.2.3.256", "1.2.3.0004", "::", "::1", "1::",
		"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8::", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "12345::", ":::", "1::2::3", "::ffff:1.2.3.4", "g::",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := netip.ParseAddr(text)
		if v, n := parse4([]byte(text)); n > 0 && n == len(text) {
			if err != nil || Addr4(v) != want {
				t.Errorf("parse4(%q) = %s, netip says %s, %v", text, Addr4(v), want, err)
			}
		} else if err == nil && want.Is4() {
			t.Errorf("parse4 refuses %q", text)
		}
		if v, ok := parse6([]byte(text)); ok {
			if err != nil || v.Addr() != want {
				t.Errorf("parse6(%q) = %s, netip says %s, %v", text, v.Addr(), want, err)
			}
		} else if err == nil && want.Is6() && !strings.ContainsAny(text, ".%") {
			t.Errorf("parse6 refuses %q", text)
		}
	})
}
