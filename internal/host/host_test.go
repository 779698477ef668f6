package host_test

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// procCopy writes files below a root of its own.
func procCopy(t *testing.T, files map[string]string) host.Root {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return host.Root(root)
}

const (
	meminfo = "MemTotal:       16384000 kB\nMemFree:         8000000 kB\n"
	stat    = "cpu  1 2 3\ncpu0 1 1 1\ncpu2 1 1 1\nintr 5\nctxt 9\n"
)

func TestFactsComeFromTheRoot(t *testing.T) {
	root := procCopy(t, map[string]string{"sys/kernel/hostname": "web1\n", "meminfo": meminfo, "stat": stat})
	facts, err := root.Facts()
	if err != nil {
		t.Fatal(err)
	}
	// Processor 1 is offline: it has no line.
	if facts.Name != "web1" || facts.CPUs != 2 || facts.MemoryMiB != 16000 {
		t.Errorf("Facts() = %+v, want web1, 2 CPUs and 16000 MiB", facts)
	}
}

func TestFactsSayWhatIsMissing(t *testing.T) {
	whole := map[string]string{"sys/kernel/hostname": "web1\n", "meminfo": meminfo, "stat": stat}
	tests := []struct{ name, file, text, want string }{
		{"no memory size", "meminfo", "MemFree: 1 kB\n", "read memory size: no MemTotal"},
		{"memory size is no number", "meminfo", "MemTotal: lots kB\n", "read memory size: no MemTotal"},
		{"memory size is empty", "meminfo", "MemTotal:\n", "read memory size: no MemTotal"},
		{"no processors", "stat", "cpu  1 2 3\n", "count processors: none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := procCopy(t, whole)
			if err := os.WriteFile(filepath.Join(string(root), test.file), []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := root.Facts(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Facts() = %v, want %q", err, test.want)
			}
		})
	}
	for file := range whole {
		t.Run("without "+file, func(t *testing.T) {
			root := procCopy(t, whole)
			if err := os.Remove(filepath.Join(string(root), file)); err != nil {
				t.Fatal(err)
			}
			if _, err := root.Facts(); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("Facts() = %v, want an error that names %s", err, file)
			}
		})
	}
}

func TestFactsOfThisMachine(t *testing.T) {
	facts, err := host.Proc.Facts()
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if facts.Name != name || facts.CPUs < runtime.NumCPU() || facts.MemoryMiB < 16 || !slices.IsSorted(facts.Interfaces) {
		t.Errorf("Facts() = %+v; the host is %s with at least %d CPUs", facts, name, runtime.NumCPU())
	}
	links, err := net.Interfaces()
	if err != nil || len(facts.Interfaces) != len(links) {
		t.Errorf("Facts() tells %d interfaces, the kernel %d (%v)", len(facts.Interfaces), len(links), err)
	}
	for _, link := range links {
		if facts.MTUs[link.Name] != link.MTU {
			t.Errorf("Facts() tells an MTU of %d for %s, the kernel %d", facts.MTUs[link.Name], link.Name, link.MTU)
		}
	}
}

func TestInterfacesAreThoseOfTheNamespace(t *testing.T) {
	nettest.Need(t)
	nettest.New(t).Do(t, func() {
		facts, err := host.Proc.Facts()
		if err != nil || !reflect.DeepEqual(facts.Interfaces, []string{"lo"}) || !reflect.DeepEqual(facts.MTUs, map[string]int{"lo": 65536}) {
			t.Errorf("Facts() = %+v, %v; a new namespace has lo alone, with an MTU of 65536", facts, err)
		}
	})
}
