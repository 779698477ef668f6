package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxStateBytes bounds each JSON file of the state directory; a record of 1000 policies is below 2 MiB.
const maxStateBytes = 64 << 20

// Files of a namespace's state directory.
const (
	appliedFile   = "applied.json"
	pendingFile   = "pending.json"
	originalsFile = "originals.json"
	contentsDir   = "contents"
)

// store is the state directory of one network namespace. Its files are 0600 in 0700 directories, because they tell
// an attacker where the limits are.
type store struct{ dir string }

// NamespaceDir gives the name of a namespace's subdirectory: "default" for "", else "netns-<name>". A path below the
// directory of named namespaces is the name it stands for; any other path gets a hash, so that two never share one.
func NamespaceDir(namespace string) string {
	if namespace == "" {
		return "default"
	}
	for _, dir := range []string{"/run/netns/", "/var/run/netns/"} {
		if name, ok := strings.CutPrefix(filepath.Clean(namespace), dir); ok && !strings.Contains(name, "/") {
			return "netns-" + name
		}
	}
	if !strings.Contains(namespace, "/") {
		return "netns-" + namespace
	}
	path := filepath.Clean(namespace)
	sum := sha256.Sum256([]byte(path))
	return "netns-" + filepath.Base(path) + "-" + hex.EncodeToString(sum[:4])
}

// prepare makes the directories and proves that they can be written and have room, so that an apply that could not
// keep its records is refused before it touches the kernel.
func (s store) prepare() error {
	for _, dir := range []string{s.dir, filepath.Join(s.dir, contentsDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
	}
	// A probe of a block's size finds a read-only mount, a missing right and a full disk alike.
	probe := filepath.Join(s.dir, "probe")
	err := writeAtomic(probe, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 4096))
		return err
	})
	if err != nil {
		return fmt.Errorf("state directory %s cannot be written, nothing was changed: %w", s.dir, err)
	}
	if err := os.Remove(probe); err != nil {
		return fmt.Errorf("state directory %s: %w", s.dir, err)
	}
	return nil
}

func (s store) path(name string) string { return filepath.Join(s.dir, name) }

// save writes a value as JSON, atomically.
func (s store) save(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", s.path(name), err)
	}
	return writeAtomic(s.path(name), func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// load reads a value; found is false when there is no such file.
func (s store) load(name string, v any) (found bool, err error) {
	path := s.path(name)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read state: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err := io.ReadAll(io.LimitReader(file, maxStateBytes+1))
	if err != nil {
		return false, fmt.Errorf("read state %s: %w", path, err)
	}
	if len(data) > maxStateBytes {
		return false, fmt.Errorf("read state %s: larger than %d bytes; move it away and run again", path, maxStateBytes)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("read state %s: damaged (%w); move it away and run again: "+
			"tcpguard then goes by what the kernel holds", path, err)
	}
	return true, nil
}

// remove deletes a file and makes that durable; a missing file is no error.
func (s store) remove(name string) error {
	err := os.Remove(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	return syncDir(s.dir)
}

// removeAll deletes everything that was kept for the namespace.
func (s store) removeAll() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}

// writeAtomic replaces a file so that a crash leaves the old or the new content and never a mixture: it writes beside
// it, syncs, renames and syncs the directory, without which the rename itself may be lost.
func writeAtomic(path string, fill func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // CreateTemp makes it 0600
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write state %s: %w", path, err), os.Remove(tmp.Name()))
		}
	}()
	if err := fill(tmp); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Sync(); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename or removal in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
