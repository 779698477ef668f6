package sysctl

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// inNamespace runs a test on the real settings of a network namespace of its own. Nothing here may write a key that is
// host-wide.
func inNamespace(t *testing.T, f func(c *Client)) {
	t.Helper()
	nettest.Need(t)
	nettest.New(t).Do(t, func() { f(newClient(t, "")) })
}

// set applies a setting as an apply does, and gives its steps.
func set(t *testing.T, c *Client, settings ...Setting) ([]Step, error) {
	t.Helper()
	states, err := c.Read(Keys(settings))
	if err != nil {
		t.Fatal(err)
	}
	steps, _, err := Diff(settings, states, Options{Namespaced: true})
	if err != nil {
		t.Fatal(err)
	}
	steps, err = c.WithFollowers(steps)
	if err != nil {
		t.Fatal(err)
	}
	return c.ApplyAll(steps)
}

// TestWriteIsReadBack shows what the kernel makes of values, however it takes them.
func TestWriteIsReadBack(t *testing.T) {
	inNamespace(t, func(c *Client) {
		for _, w := range []struct{ key, value, held, err string }{
			{"net.core.somaxconn", "70000", "70000", ""}, // refused before Linux 5.0
			{"net.ipv4.tcp_syncookies", "5", "5", ""},    // taken, so only the catalog knows that it means nothing
			{"net.ipv4.ip_local_port_range", "10240 65000", "10240 65000", ""},
			{"net.ipv4.ip_local_port_range", "1024", "1024 65000",
				`sysctl["net.ipv4.ip_local_port_range"]: asked for 1024, the kernel holds 1024 65000`},
			{"net.ipv4.ip_local_port_range", "60000 50000", "1024 65000", "invalid argument"},
			{"net.ipv4.tcp_rmem", "4096 8192 16384 99", "4096 8192 16384",
				`sysctl["net.ipv4.tcp_rmem"]: asked for 4096 8192 16384 99, the kernel holds 4096 8192 16384`},
			{"net.ipv4.icmp_ratelimit", "1000", "1000", ""},
			{"net.ipv4.tcp_keepalive_time", "600 700", "600", `asked for 600 700, the kernel holds 600`},
			{"net.ipv4.tcp_congestion_control", "no_such_algorithm", "", "no such file"},
			{"net.ipv4.ip_local_reserved_ports", "8081 8080 9000-9010", "8080-8081,9000-9010", ""},
			{"net.ipv4.ip_local_reserved_ports", "", "", ""},
		} {
			_, err := set(t, c, want(w.key, policy.Exact, w.value))
			switch {
			case w.err == "" && err != nil, w.err != "" && (err == nil || !strings.Contains(err.Error(), w.err)):
				t.Errorf("%s = %q: error %v, want %q", w.key, w.value, err, w.err)
			}
			if got := value(t, c, w.key); got != w.held && w.err != "no such file" {
				t.Errorf("%s = %q: the kernel holds %q, want %q", w.key, w.value, got, w.held)
			}
		}
	})
}

// TestMillisecondsAreRounded: the kernel counts in ticks, which is a clamped write for a value and none for a floor.
func TestMillisecondsAreRounded(t *testing.T) {
	inNamespace(t, func(c *Client) {
		_, err := set(t, c, want("net.ipv4.icmp_ratelimit", policy.Exact, "5"))
		if value(t, c, "net.ipv4.icmp_ratelimit") == "5" {
			t.Skip("this kernel ticks every millisecond")
		}
		var back *ReadBackError
		if !errors.As(err, &back) {
			t.Errorf("error %v, want a *ReadBackError", err)
		}
		if _, err := set(t, c, want("net.ipv4.icmp_ratelimit", policy.Exact, "1000"), want("net.ipv4.tcp_invalid_ratelimit", policy.AtLeast, "501")); err != nil {
			t.Errorf("a floor that was rounded up is refused: %v", err)
		}
	})
}

func TestReadOnlyInAChildNamespace(t *testing.T) {
	inNamespace(t, func(c *Client) {
		states, err := c.Read([]string{"net.core.rmem_max", "net.core.somaxconn", "net.ipv4.tcp_mem"})
		if err != nil {
			t.Fatal(err)
		}
		if !states[0].ReadOnly || states[1].ReadOnly || !states[2].Missing {
			t.Errorf("states %+v: want rmem_max read-only, somaxconn writable and tcp_mem missing", states)
		}
		step := Step{Key: "net.core.rmem_max", Before: states[0].Value, After: states[0].Value}
		if err := c.Apply(step); !errors.Is(err, unix.EACCES) {
			t.Errorf("a write to rmem_max: %v, want EACCES", err)
		}
	})
}

func TestDottedInterface(t *testing.T) {
	inNamespace(t, func(c *Client) {
		pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0.100"}
		if err := netlink.LinkAdd(pair); err != nil {
			t.Fatal(err)
		}
		const vlan, parent = "net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0.rp_filter"
		before := value(t, c, parent)
		done, err := set(t, c, want(vlan, policy.Exact, "2"))
		if err != nil || value(t, c, vlan) != "2" || value(t, c, parent) != before {
			t.Errorf("%v: %s holds %s, %s holds %s", err, vlan, value(t, c, vlan), parent, value(t, c, parent))
		}
		if err := c.Undo(done); err != nil || value(t, c, vlan) != before {
			t.Errorf("undo: %v, %s holds %s, want %s", err, vlan, value(t, c, vlan), before)
		}
	})
}

// TestKeysThatBoundEachOther moves both ends of two bounds at once, up and down again.
func TestKeysThatBoundEachOther(t *testing.T) {
	inNamespace(t, func(c *Client) {
		for _, s := range []struct{ ports, start string }{{"45000 60999", "40000"}, {"32768 60999", "1024"}, {"50000 60999", "49000"}} {
			done, err := set(t, c, want("net.ipv4.ip_local_port_range", policy.Exact, s.ports), want("net.ipv4.ip_unprivileged_port_start", policy.Exact, s.start))
			if err != nil || len(done) != 2 {
				t.Errorf("to %s and %s: %v, %d steps", s.ports, s.start, err, len(done))
			}
			if s.start == "49000" {
				if err := c.Undo(done); err != nil || value(t, c, "net.ipv4.ip_local_port_range") != "32768 60999" {
					t.Errorf("undo: %v, range %s", err, value(t, c, "net.ipv4.ip_local_port_range"))
				}
			}
		}
	})
}

// TestForwardingTakesOthersAlong: ip_forward rewrites keys that nobody declared; undo and restore put those back, too.
func TestForwardingTakesOthersAlong(t *testing.T) {
	inNamespace(t, func(c *Client) {
		watched := []string{"net.ipv4.ip_forward", "net.ipv4.conf.all.accept_redirects", "net.ipv4.conf.lo.forwarding", "net.ipv4.conf.default.forwarding"}
		if _, err := set(t, c, want(watched[1], policy.Exact, "0")); err != nil {
			t.Fatal(err)
		}
		snapshot := func() (all []string) {
			for _, k := range watched {
				all = append(all, value(t, c, k))
			}
			return all
		}
		found := snapshot()
		forward := want("net.ipv4.ip_forward", policy.Exact, "1")

		done, err := set(t, c, forward)
		if err != nil || value(t, c, watched[2]) != "1" {
			t.Fatalf("%v; forwarding of lo is %s, so nothing was tried", err, value(t, c, watched[2]))
		}
		if err := c.Undo(done); err != nil || !slices.Equal(snapshot(), found) {
			t.Errorf("undo: %v, %q, want %q", err, snapshot(), found)
		}

		j := journal{t, t.TempDir()}.open("e")
		steps, err := c.WithFollowers([]Step{{Key: forward.Key, Before: []string{"0"}, After: []string{"1"}, Setting: forward}})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Record(steps); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ApplyAll(steps); err != nil {
			t.Fatal(err)
		}
		states, err := c.Read(j.Keys())
		if err != nil {
			t.Fatal(err)
		}
		r := j.Restore(nil, states)
		if _, err := c.ApplyAll(r.Steps); err != nil || !slices.Equal(snapshot(), found) {
			t.Errorf("restore: %v, %q, want %q", err, snapshot(), found)
		}
	})
}

// TestTextIsReadBySysctl loads the printed file with sysctl(8): nothing is left to change afterwards.
func TestTextIsReadBySysctl(t *testing.T) {
	nettest.NeedProgram(t, "sysctl")
	nettest.Need(t)
	ns := nettest.New(t)
	ns.Do(t, func() {
		pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0.100"}
		if err := netlink.LinkAdd(pair); err != nil {
			t.Fatal(err)
		}
	})
	settings := []Setting{
		want("net.ipv4.conf.eth0/100.rp_filter", policy.Exact, "2"),
		want("net.ipv4.ip_local_port_range", policy.Exact, "10240 65000"),
		want("net.ipv4.ip_local_reserved_ports", policy.Exact, "11000 12000-12010"),
		want("net.ipv4.tcp_rmem", policy.AtLeast, "8192 131072 67108864"),
		optional(want("net.ipv4.tcp_sack", policy.Exact, "0")),
	}
	file := filepath.Join(t.TempDir(), "tcpguard.conf")
	if err := os.WriteFile(file, []byte(Text(settings)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ns.Exec(t, "sysctl", "-p", file); err != nil {
		t.Error(err)
	}
	ns.Do(t, func() {
		states, err := newClient(t, "").Read(Keys(settings))
		if err != nil {
			t.Fatal(err)
		}
		if steps, _, err := Diff(settings, states, Options{Namespaced: true}); err != nil || len(steps) != 0 {
			t.Errorf("left to do: %+v, %v", steps, err)
		}
	})
}
