package reconcile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// small mounts a file system of its own as the state directory.
func small(t *testing.T, h *fakeHost, flags uintptr, data string) string {
	t.Helper()
	nettest.Need(t)
	dir := t.TempDir()
	if err := unix.Mount("tcpguard-test", dir, "tmpfs", flags, data); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h.store.dir = filepath.Join(dir, "default")
	return dir
}

// fill leaves no free byte.
func fill(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for {
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			if !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			return
		}
	}
}

func TestAStateDirectoryThatCannotBeWrittenStopsAnApplyBeforeTheKernel(t *testing.T) {
	tests := []struct {
		name string
		make func(*testing.T, *fakeHost)
		want string
	}{
		{"read-only", func(t *testing.T, h *fakeHost) { small(t, h, unix.MS_RDONLY, "") }, "read-only file system"},
		{"full", func(t *testing.T, h *fakeHost) {
			dir := small(t, h, 0, "size=64k")
			if err := h.store.prepare(); err != nil {
				t.Fatal(err)
			}
			fill(t, dir)
		}, "no space left on device"},
		{"a file is in its place", func(t *testing.T, h *fakeHost) {
			if err := os.WriteFile(h.store.dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			tt.make(t, h)
			_, err := h.Apply(context.Background(), withSysctl(webBundle(64), "net.core.somaxconn", "4096"), ApplyOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), h.store.dir) {
				t.Errorf("error %v, want %q and the path", err, tt.want)
			}
			if h.kernel.commits != 0 || len(h.settings.writes) > 0 {
				t.Errorf("%d commits, writes %v", h.kernel.commits, h.settings.writes)
			}
		})
	}
}

func TestAListThatDoesNotFitStopsAnApplyBeforeTheKernel(t *testing.T) {
	h := newFakeHost(t)
	small(t, h, 0, "size=64k")
	var many []string
	for i := range 30000 {
		many = append(many, "10."+strconv.Itoa(i>>8)+"."+strconv.Itoa(i&255)+".1")
	}
	_, err := h.Apply(context.Background(), withDeny(t, webBundle(64), many...), ApplyOptions{})
	if !errors.Is(err, unix.ENOSPC) || h.kernel.commits != 0 {
		t.Errorf("error %v, %d commits", err, h.kernel.commits)
	}
	entries, err := os.ReadDir(h.store.path(contentsDir))
	if err != nil || len(entries) > 0 {
		t.Errorf("left %v, %v", entries, err)
	}
	h.mustApply(t, webBundle(64))
}

func TestAFullDiskDoesNotKeepATableFromBeingRemoved(t *testing.T) {
	h := newFakeHost(t)
	dir := small(t, h, 0, "size=64k")
	h.mustApply(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
	fill(t, dir)
	if _, err := h.Destroy(context.Background(), DestroyOptions{}); err != nil {
		t.Fatal(err)
	}
	if h.kernel.rules.Exists || h.settings.values["net.core.somaxconn"][0] != "128" {
		t.Error("something stayed")
	}
}
