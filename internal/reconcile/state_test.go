package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUnusedListContentsAreDropped(t *testing.T) {
	h := newFakeHost(t)
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		h.mustApply(t, withDeny(t, webBundle(64), a))
	}
	entries, err := os.ReadDir(h.store.path(contentsDir))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files of list contents are kept, want 1", len(entries))
	}
}

func TestADamagedRecordStopsAnApplyAndSaysWhatToDo(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, webBundle(64))
	path := h.store.path(appliedFile)
	if err := os.WriteFile(path, []byte(`{"format`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := h.Apply(context.Background(), webBundle(100), ApplyOptions{})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("error: %v", err)
	}
	if h.kernel.commits != 1 {
		t.Error("the kernel was touched")
	}
}

func TestADamagedListContentMeansReplacingTheSet(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.2"))
	files, err := filepath.Glob(h.store.path(contentsDir) + "/*")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(files[0], 10); err != nil {
		t.Fatal(err)
	}
	h.mustApply(t, withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.3"))
	if plan := h.mustPlan(t, withDeny(t, webBundle(64), "192.0.2.1", "192.0.2.3")); !plan.Empty() {
		t.Errorf("still:\n%s", tell(plan))
	}
}

func TestAHeldLockIsRefusedAndNamesItsHolder(t *testing.T) {
	h := newFakeHost(t)
	held, err := acquireLock(context.Background(), h.lockPath, 0, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Apply(context.Background(), webBundle(64), ApplyOptions{LockTimeout: time.Millisecond})
	var refusal *ErrRefused
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("error: %v", err)
	}
	if err := held.release(); err != nil {
		t.Fatal(err)
	}
	h.mustApply(t, webBundle(64))
}

func TestWhatIsWrittenIsPrivate(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, withSysctl(withDeny(t, webBundle(64), "192.0.2.1"), "net.core.somaxconn", "4096"))
	err := filepath.WalkDir(h.store.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
