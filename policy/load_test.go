package policy

import (
	"os"
	"path/filepath"
	"testing"
)

// write puts files into a new directory, makes it the working directory, so that diagnostics name files as they are
// written here, and gives the options to load it.
func write(t testing.TB, files map[string]string) Options {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if dir := filepath.Dir(name); dir != "." {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Options{Paths: []string{"."}, Version: "0.1.0", Facts: Facts{Name: "edge", CPUs: 4, MemoryMiB: 8192, Interfaces: []string{"eth0", "lo"}}}
}
