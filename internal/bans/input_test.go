package bans

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "10m": 10 * time.Minute, "1h": time.Hour, "7d": 7 * day, "2w": 14 * day, "1d12h": 36 * time.Hour,
		"forever": Forever, "3650d": 3650 * day,
	} {
		if got, err := ParseFor(text); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0s", "h", "1", "-1h", "1.5h", "1y", "3651d", "9223372036854775807w", "99999999999999999999s", "1h forever", "١h"} {
		if got, err := ParseFor(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "", "192.0.2.1/32": "192.0.2.1", "192.0.2.0/24": "", "2001:DB8::1": "2001:db8::1", "2001:db8::/64": "", "::/0": "",
		"10.0.0.0-10.0.0.255": "10.0.0.0/24", "10.0.0.1-10.0.0.2": "", "10.0.0.7-10.0.0.7": "10.0.0.7",
	} {
		if want == "" {
			want = text
		}
		if s, err := ParseSpan(text); err != nil || s.String() != want {
			t.Errorf("%q is %q (%v), want %q", text, s, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "missing", "10.0.0.1/24": "the prefix is 10.0.0.0/24", "::ffff:10.0.0.1": "write 10.0.0.1", "fe80::1%eth0": "zone",
		"10.0.0.9-10.0.0.1": "ends before", "300.0.0.1": "not an IP address", "example.org": "not an IP address",
	} {
		if s, err := ParseSpan(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v (%v), want an error with %q", text, s, err, want)
		}
	}
}

func TestRead(t *testing.T) {
	const text = "\ufeff192.0.2.1\r\n\n  # a comment\n10.0.0.0/8 7d # longer\n10.0.0.1 - 10.0.0.9\n10.0.0.1-10.0.0.9\tforever\n2001:db8::/64   2h"
	got, err := Read(strings.NewReader(text), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range got {
		lines = append(lines, e.Span.String()+" "+e.For.String())
	}
	const want = "192.0.2.1 1h0m0s\n10.0.0.0/8 168h0m0s\n10.0.0.1-10.0.0.9 1h0m0s\n10.0.0.1-10.0.0.9 0s\n2001:db8::/64 2h0m0s"
	if have := strings.Join(lines, "\n"); have != want {
		t.Errorf("got\n%s\nwant\n%s", have, want)
	}
	for text, want := range map[string]string{
		"192.0.2.1\nnobody\n":                          `line 2: "nobody": not an IP address`,
		"192.0.2.1 soon\n":                             `line 1: "192.0.2.1 soon": "soon" is no duration`,
		"192.0.2.1 1h 2h\n":                            `line 1`,
		"192.0.2.1\n" + strings.Repeat("x", maxLine+9): "line 2",
	} {
		_, err := Read(strings.NewReader(text), time.Hour)
		if bad := (*LineError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: error %v, want %q", text, err, want)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	for _, line := range []string{"192.0.2.1", "10.0.0.0/8 7d", "10.0.0.1 - 10.0.0.9", "::/0 forever", "1.2.3.4 1h#"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, err := parseLine(line, time.Hour)
		if err != nil {
			return
		}
		if e.Last.Less(e.First) || e.First.Is4() != e.Last.Is4() || e.For < 0 || e.For > longest {
			t.Fatalf("%q is %v", line, e)
		}
		if again, err := ParseSpan(e.Span.String()); err != nil || again != e.Span {
			t.Fatalf("%q is %v, which is read as %v (%v)", line, e.Span, again, err)
		}
	})
}
