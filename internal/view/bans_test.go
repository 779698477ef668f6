package view

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/bans"
)

func spanOf(t testing.TB, text string) bans.Span {
	t.Helper()
	s, err := bans.ParseSpan(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// banViews are the outcomes of ban, each with its document and its text.
func banViews(t testing.TB) map[string]func(View) error {
	web := bans.Place{Policy: "web"}
	since := time.Date(2026, 5, 9, 14, 0, 0, 0, time.FixedZone("CEST", 7200))
	return map[string]func(View) error{
		"bans": func(v View) error {
			return v.Bans(BanList{Warnings: []string{"reasons cannot be shown: it rains"}, Bans: []bans.Ban{
				{Span: spanOf(t, "192.0.2.7"), Left: 3552500 * time.Millisecond, Since: since, By: "alice", Reason: "port <scans>"},
				{Span: spanOf(t, "2001:db8:bad::/48"), Permanent: true},
				{Span: spanOf(t, "198.51.100.0/24"), Place: web, Left: 6*24*time.Hour + 23*time.Hour + time.Minute, Since: since, By: "policy.web.ban"},
			}})
		},
		"bans-empty": func(v View) error { return v.Bans(BanList{}) },
		"ban-added": func(v View) error {
			return v.Banned(Banned{
				Added: &bans.Added{
					Addresses: 2, Ranges: 1,
					Covered: []bans.Covered{{Span: spanOf(t, "10.1.0.0/16"), By: spanOf(t, "10.0.0.0/8")}},
					Cut:     []bans.Span{spanOf(t, "172.16.0.0/12")},
				},
				For: "1h", Notes: []string{"something to know"}, Warnings: []string{"the journal is full"},
			})
		},
		"ban-added-nothing": func(v View) error { return v.Banned(Banned{Added: &bans.Added{Place: web}}) },
		"ban-deleted": func(v View) error {
			return v.Unbanned(Unbanned{Deleted: &bans.Deleted{
				Place: web, Bans: 1, Missing: []bans.Missing{{Span: spanOf(t, "192.0.2.9")}},
			}})
		},
		"ban-flushed": func(v View) error { return v.Flushed(Flushed{Places: []bans.Place{{}, web}}) },
	}
}

func TestJSONBans(t *testing.T) {
	for name, show := range banViews(t) {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := show(NewJSON(&out)); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", out.Bytes())
			checkRules(t, out.Bytes())
		})
	}
}

func TestTextBans(t *testing.T) {
	for name, show := range banViews(t) {
		t.Run(name, func(t *testing.T) {
			var out, err bytes.Buffer
			if err := show(NewText(&out, &err, Style{}, Style{})); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", append(out.Bytes(), err.Bytes()...))
		})
	}
}

func TestTextNamesFewOfMany(t *testing.T) {
	added := &bans.Added{}
	deleted := &bans.Deleted{}
	for range 100 {
		s := bans.Span{First: netip.IPv6Loopback(), Last: netip.IPv6Loopback()}
		added.Covered, added.Cut = append(added.Covered, bans.Covered{Span: s, By: s}), append(added.Cut, s)
		deleted.Missing = append(deleted.Missing, bans.Missing{Span: s})
	}
	for _, show := range []func(View) error{
		func(v View) error { return v.Banned(Banned{Added: added}) },
		func(v View) error { return v.Unbanned(Unbanned{Deleted: deleted}) },
	} {
		var out bytes.Buffer
		if err := show(NewText(&out, &out, Style{}, Style{})); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(out.String(), "\n"); lines > 13 || !strings.Contains(out.String(), "and 95 more") {
			t.Errorf("%d lines:\n%s", lines, &out)
		}
	}
}

func TestTimeLeft(t *testing.T) {
	for left, want := range map[time.Duration]string{
		time.Millisecond: "1s", 59 * time.Second: "59s", time.Minute: "1m0s", 59*time.Minute + 12*time.Second: "59m12s",
		time.Hour: "1h0m", 24 * time.Hour: "1d0h", 7*24*time.Hour - time.Second: "6d23h",
	} {
		if got := leftText(bans.Ban{Left: left}); got != want {
			t.Errorf("%v is %q, want %q", left, got, want)
		}
	}
}

// golden compares with a file in testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
