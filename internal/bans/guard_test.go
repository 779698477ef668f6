package bans

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

// bundle loads a policy's text.
func bundle(t *testing.T, text string) *policy.Bundle {
	t.Helper()
	file := filepath.Join(t.TempDir(), "web.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b, diags := policy.Load(policy.Options{Paths: []string{file}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return b
}

const guarded = `management { sources = ["198.51.100.0/24", "2001:db8:aa::1"] }
list "monitoring" { addresses = ["192.0.2.10", "2001:db8:a::/64"] }
list "blocklist" { addresses = ["10.0.0.0/8"] }
policy "web" {
  ports = [443]
  allow = [list.monitoring]
  deny  = [list.blocklist]
  connection_limit { max = 10 }
}
policy "off" {
  ports = [80]
  mode  = "off"
  allow = ["203.0.113.5"]
  connection_limit { max = 10 }
}`

func TestGuard(t *testing.T) {
	g := NewGuard(bundle(t, guarded), []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2001:db8:9::9")})
	tests := map[string]string{ // "" for what may be banned
		"198.51.100.0":              "is a management source (FILE:1)",
		"198.51.0.0/16":             "has a management source (FILE:1)",
		"198.51.99.9-198.51.100.0":  "has a management source (FILE:1)",
		"198.51.100.128/25":         "has a management source (FILE:1)",
		"2001:db8:aa::1":            "is a management source (FILE:1)",
		"192.0.2.10":                "is an address of list.monitoring, which policy.web allows (FILE:6)",
		"2001:db8:a::5":             "is an address of list.monitoring, which policy.web allows (FILE:6)",
		"203.0.113.5":               "is an address that policy.off allows (FILE:13)",
		"127.0.0.1":                 "is a loopback address",
		"::1":                       "is a loopback address",
		"0.0.0.0/0":                 "has a loopback address",
		"9.9.9.9":                   "is the address that this session comes from",
		"9.9.9.0/24":                "has the address that this session comes from",
		"2001:db8:9::/64":           "has the address that this session comes from",
		"10.1.2.3":                  "",
		"198.51.101.0/24":           "",
		"198.51.101.0-198.51.101.1": "",
		"192.0.2.11":                "",
		"::2":                       "",
		"2001:db8:aa::2":            "",
	}
	for text, want := range tests {
		err := g.Check(entries(t, "8.8.8.8", text))
		var hit *ProtectedError
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && !errors.As(err, &hit):
			t.Errorf("%s may be banned, want %q", text, want)
		case want != "":
			file := bundlePlace(hit.Hits[0].Why)
			if why := strings.Replace(want, "FILE", file, 1); len(hit.Hits) != 1 || hit.Hits[0].Why != why {
				t.Errorf("%s: %+v, want %q", text, hit.Hits, why)
			}
		}
	}
	if err := NewGuard(nil, nil).Check(entries(t, "198.51.100.1", "9.9.9.9")); err != nil {
		t.Errorf("without policies: %v", err)
	}
	if err := NewGuard(nil, nil).Check(entries(t, "127.0.0.1")); err == nil {
		t.Error("loopback may be banned without policies")
	}
}

// bundlePlace is the file that a text names.
func bundlePlace(text string) string {
	_, file, _ := strings.Cut(text, "(")
	if i := strings.LastIndex(file, ":"); i >= 0 {
		return file[:i]
	}
	return ""
}

// proc makes a tree of processes: each line is "pid ppid VARIABLE=value".
func proc(t *testing.T, processes ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, p := range processes {
		f := strings.SplitN(p, " ", 3)
		dir := filepath.Join(root, f[0])
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{
			"status": "Name:\tsh\nPPid:\t" + f[1] + "\nUid:\t0\n", "environ": "PATH=/bin\x00" + f[2] + "\x00", "loginuid": "1000",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestSessionPeers(t *testing.T) {
	env := func(pairs ...string) func(string) (string, bool) {
		return func(name string) (string, bool) {
			i := slices.Index(pairs, name)
			if i < 0 {
				return "", false
			}
			return pairs[i+1], true
		}
	}
	tests := []struct {
		name   string
		getenv func(string) (string, bool)
		proc   string
		want   string
	}{
		{"no session", env(), proc(t, "7 1 A=b"), ""},
		{"in the environment", env("SSH_CONNECTION", "192.0.2.1 5000 10.0.0.1 22", "SSH_CLIENT", "192.0.2.1 5000 22"), proc(t, "7 1 A=b"), "192.0.2.1"},
		{"with a zone", env("SSH_CLIENT", "fe80::1%eth0 5000 22"), proc(t, "7 1 A=b"), "fe80::1"},
		{"mapped", env("SSH_CLIENT", "::ffff:192.0.2.1 5000 22"), proc(t, "7 1 A=b"), "192.0.2.1"},
		{"behind sudo", env(), proc(t, "7 6 A=b", "6 5 SUDO_USER=alice", "5 4 SSH_CONNECTION=192.0.2.2 1 10.0.0.1 22", "4 1 A=b"), "192.0.2.2"},
		{"two hops", env("SSH_CLIENT", "192.0.2.3 1 22"), proc(t, "7 6 A=b", "6 1 SSH_CLIENT=2001:db8::1 1 22"), "192.0.2.3 2001:db8::1"},
		{"nonsense", env("SSH_CLIENT", "nobody", "SSH_CONNECTION", ""), proc(t, "7 6 A=b", "6 7 SSH_CLIENT="), ""},
		{"no procfs", env("SSH_CLIENT", "192.0.2.1 1 22"), "/nonexistent", "192.0.2.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, a := range (Sessions{Getenv: tt.getenv, Proc: tt.proc, PID: 7}).Peers() {
				got = append(got, a.String())
			}
			if text := strings.Join(got, " "); text != tt.want {
				t.Errorf("peers %q, want %q", text, tt.want)
			}
		})
	}
}

func TestLoginID(t *testing.T) {
	root := proc(t, "7 1 A=b")
	s := Sessions{Proc: root, PID: 7}
	if uid, ok := s.LoginID(); uid != 1000 || !ok {
		t.Errorf("uid %d, %t", uid, ok)
	}
	// Nobody has logged in, as in a service.
	if err := os.WriteFile(s.file(7, "loginuid"), []byte(strconv.Itoa(1<<32-1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if uid, ok := s.LoginID(); ok {
		t.Errorf("uid %d", uid)
	}
}
