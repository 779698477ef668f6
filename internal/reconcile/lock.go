package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a waiting apply tries again: flock has no timeout of its own.
const lockPoll = 50 * time.Millisecond

// maxHolderBytes bounds what is read of a lock file.
const maxHolderBytes = 4096

// holder is who has the lock, as written into the lock file for the others to read. It is advice for a message: the
// lock itself is the kernel's flock, which ends with the process, so a stale file locks nobody out.
type holder struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// lock is the right to change one network namespace.
type lock struct{ file *os.File }

// acquireLock takes the exclusive lock of a namespace, waiting at most timeout (0: not at all). It returns ErrRefused
// naming the holder when the time is up.
func acquireLock(ctx context.Context, path string, timeout time.Duration, now func() time.Time) (*lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make lock directory: %w", err)
	}
	// O_NOFOLLOW: the run directory may be shared with less trusted programs.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	deadline := now().Add(timeout)
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		}
		if !now().Before(deadline) {
			return nil, errors.Join(busy(path, file), file.Close())
		}
		if err := wait(ctx, lockPoll); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	l := &lock{file: file}
	if err := l.sign(holder{PID: os.Getpid(), Since: now().UTC()}); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

// busy names the holder as far as the lock file tells.
func busy(path string, file *os.File) error {
	data := make([]byte, maxHolderBytes)
	n, err := file.ReadAt(data, 0)
	var h holder
	if (err != nil && !errors.Is(err, io.EOF)) || json.Unmarshal(data[:n], &h) != nil || h.PID == 0 {
		return refused("another tcpguard holds %s: wait for it, or give --lock-timeout", path)
	}
	return refused("another tcpguard (pid %d, since %s) holds %s: wait for it, or give --lock-timeout",
		h.PID, h.Since.Format(time.RFC3339), path)
}

// sign writes who holds the lock.
func (l *lock) sign(h holder) error {
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if _, err := l.file.WriteAt(append(data, '\n'), 0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}

// release gives the lock back. The file stays: removing it would let two processes lock two files of one name.
func (l *lock) release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	return nil
}

// wait sleeps for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
