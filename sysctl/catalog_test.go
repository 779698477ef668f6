package sysctl

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// kernelKeys lists the keys below /proc/sys/TREE of the calling thread's network namespace, with their modes.
func kernelKeys(t *testing.T, trees ...string) map[string]fs.FileMode {
	t.Helper()
	found := map[string]fs.FileMode{}
	for _, tree := range trees {
		err := filepath.WalkDir(filepath.Join(DefaultRoot, tree), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // interfaces come and go
			}
			key, err := ParseKey(path)
			if err != nil {
				t.Errorf("the kernel's own %s is refused: %v", path, err)
				return nil
			}
			if info, err := d.Info(); err == nil {
				found[key] = info.Mode().Perm()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) == 0 {
		t.Fatal("no keys found: nothing was tried")
	}
	return found
}

func TestCatalogIsWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Catalog() {
		if seen[e.Key] {
			t.Errorf("%s stands twice", e.Key)
		}
		seen[e.Key] = true
		if key, err := ParseKey(strings.Replace(e.Key, "*", "eth0", 1)); err != nil || key != strings.Replace(e.Key, "*", "eth0", 1) {
			t.Errorf("%s is not in normal form: %q, %v", e.Key, key, err)
		}
		if e.Does == "" || e.Risk == "" || e.Scope == "" || e.Kind == "" {
			t.Errorf("%s lacks what it does, its risk, its scope or its kind", e.Key)
		}
		if e.Min > e.Max {
			t.Errorf("%s has the range %d to %d", e.Key, e.Min, e.Max)
		}
	}
	if len(seen) < 200 {
		t.Errorf("%d keys, want those that harden or size TCP", len(seen))
	}
}

// TestCatalogHoldsWhatTheKernelHolds reads every catalogued key of this kernel: its value is in the declared range.
func TestCatalogHoldsWhatTheKernelHolds(t *testing.T) {
	client, err := NewClient("")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for key := range kernelKeys(t, "net", "fs", "vm", "kernel") {
		e, ok := Lookup(key)
		if !ok {
			continue
		}
		states, err := client.Read([]string{key})
		if err != nil {
			t.Error(err)
			continue
		}
		if states[0].Missing {
			continue // its interface went away
		}
		tried[e.Key] = true
		if text := e.check(states[0].Value); text != "" {
			t.Errorf("%s holds %q: %s", key, states[0].Value, text)
		}
	}
	t.Logf("%d of %d catalogued keys exist on this kernel", len(tried), len(Catalog()))
	if len(tried) < 100 {
		t.Errorf("only %d catalogued keys exist on this kernel", len(tried))
	}
}

// TestKernelKeysAreNotMistypedOnes keeps the nearest-key rule from refusing keys that this kernel has.
func TestKernelKeysAreNotMistypedOnes(t *testing.T) {
	for key := range kernelKeys(t, "") {
		if _, known := Lookup(key); known {
			continue
		}
		if p := Check(key, []string{"1"}, policy.Exact); p != nil {
			t.Errorf("Check(%q) = %+v, but this kernel has the key", key, *p)
		}
	}
}

// TestScopesAgreeWithANewNamespace compares the catalog's scopes with what a child network namespace shows.
func TestScopesAgreeWithANewNamespace(t *testing.T) {
	nettest.Need(t)
	initial := kernelKeys(t, "net", "fs", "vm", "kernel")
	var child map[string]fs.FileMode
	nettest.New(t).Do(t, func() { child = kernelKeys(t, "net", "fs", "vm", "kernel") })
	tried := 0
	for key, mode := range initial {
		e, ok := Lookup(key)
		if !ok || strings.Contains(e.Key, "*") && !slices.Contains(strings.Split(key, "."), "default") {
			continue // the child has other interfaces
		}
		tried++
		if readOnly := mode&0o222 == 0; readOnly != e.ReadOnly {
			t.Errorf("%s has mode %o, the catalog's ReadOnly is %v", key, mode, e.ReadOnly)
		}
		if !strings.HasPrefix(key, "net.") {
			if e.Scope != Host {
				t.Errorf("%s has the scope %q, want %q", key, e.Scope, Host)
			}
			continue
		}
		shown, exists := child[key]
		want := PerNamespace
		switch {
		case !exists:
			want = InitialOnly
		case shown&0o222 == 0 && !e.ReadOnly:
			want = ReadOnlyInChild
		case e.ReadOnly:
			continue // its mode tells nothing about whose value it is
		}
		if e.Scope != want {
			t.Errorf("%s has the scope %q, a new network namespace shows %q", key, e.Scope, want)
		}
	}
	if tried < 100 {
		t.Errorf("only %d keys tried", tried)
	}
}

func TestLookup(t *testing.T) {
	for _, c := range []struct{ key, want string }{
		{"net.core.somaxconn", "net.core.somaxconn"},
		{"net.ipv4.conf.all.rp_filter", "net.ipv4.conf.*.rp_filter"},
		{"net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.*.rp_filter"},
		{"net.ipv6.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh3"},
		{"net.ipv6.neigh.eth0.gc_thresh3", ""},
		{"net.ipv4.conf.rp_filter", ""},
		{"kernel.hostname", ""},
	} {
		e, ok := Lookup(c.key)
		if e.Key != c.want || ok != (c.want != "") {
			t.Errorf("Lookup(%q) = %q, %v, want %q", c.key, e.Key, ok, c.want)
		}
	}
}

func TestHostWide(t *testing.T) {
	for key, want := range map[string]bool{
		"net.core.somaxconn": false, "net.ipv4.conf.eth0.rp_filter": false, "net.mptcp.enabled": false,
		"net.core.rmem_max": true, "net.ipv4.tcp_mem": true, "net.netfilter.nf_conntrack_max": true,
		"fs.file-max": true, "kernel.hostname": true, "vm.dirty_ratio": true,
	} {
		if got := HostWide(key); got != want {
			t.Errorf("HostWide(%q) = %v, want %v", key, got, want)
		}
	}
}
