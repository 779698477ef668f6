package sysctl

import (
	"strings"
	"testing"
)

func TestParseKey(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"net.core.somaxconn", "net.core.somaxconn"},
		{"net/core/somaxconn", "net.core.somaxconn"},
		{"/proc/sys/net/core/somaxconn", "net.core.somaxconn"},
		{"net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter"},
		{"net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0/100.rp_filter"},
		{"net.ipv4.conf.eth0.100.rp_filter", "net.ipv4.conf.eth0/100.rp_filter"}, // the dot of the interface forgotten
		{"net.ipv6.neigh.br0.1.2.gc_stale_time", "net.ipv6.neigh.br0/1/2.gc_stale_time"},
		{"fs.file-max", "fs.file-max"},
	} {
		got, err := ParseKey(c.in)
		if err != nil || got != c.want {
			t.Errorf("ParseKey(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
		if again, err := ParseKey(got); err != nil || again != got {
			t.Errorf("ParseKey(%q) = %q, %v: the normal form is not stable", got, again, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "one dot or slash"},
		{"somaxconn", "starts with its tree"},
		{"net..somaxconn", "one dot or slash"},
		{"net/../etc/passwd", "one dot or slash"},
		{"net.//.passwd", "one dot or slash"}, // the slashes stand for dots
		{"../../etc/passwd", "one dot or slash"},
		{"/etc/passwd", "one dot or slash"},
		{"net/core/somaxconn/", "one dot or slash"},
		{"net.core.somax conn", "white space"},
		{"net.core.\x00", "white space"},
		{"net.core.\xff", "white space"},
		{"net.ipv4.conf.*.rp_filter", "pattern"},
		{"net/core/some.conn", "interface"},
		{"net." + strings.Repeat("a", 2000), "1024 bytes"},
	} {
		if got, err := ParseKey(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseKey(%q) = %q, %v, want an error with %q", c.in, got, err, c.want)
		}
	}
}

func TestPathStaysBelowRoot(t *testing.T) {
	got, err := Path("/copy", "net.ipv4.conf.eth0/100.rp_filter")
	if want := "/copy/net/ipv4/conf/eth0.100/rp_filter"; err != nil || got != want {
		t.Errorf("Path = %q, %v, want %q", got, err, want)
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"net.core.somaxconn", "net/ipv4/conf/a.b/c", "net.//.x", "a.b.c.d.e.f", "net.x.conf.//.y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		key, err := ParseKey(in)
		if err != nil {
			return
		}
		if again, err := ParseKey(key); err != nil || again != key {
			t.Errorf("ParseKey(%q) = %q, whose own normal form is %q, %v", in, key, again, err)
		}
		path, err := Path("/root", key)
		if err != nil || !strings.HasPrefix(path, "/root/") || strings.Contains(path, "/../") || strings.HasSuffix(path, "/..") {
			t.Errorf("Path(%q) = %q, %v", key, path, err)
		}
	})
}
