package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	gosysctl "github.com/lorenzosaino/go-sysctl"
	"golang.org/x/sys/unix"
)

// Client reads and writes the settings below one root. Every call works on the calling thread and starts no goroutine:
// /proc/sys/net shows the network namespace of the thread that opens it, so a caller that has locked its thread and
// entered a namespace (setns(2)) reaches that namespace's values.
type Client struct {
	root string
	keys *gosysctl.Client
}

// NewClient works below root: /proc/sys when root is "", or a copy of that tree. It fails when root is no directory.
func NewClient(root string) (*Client, error) {
	if root == "" {
		root = DefaultRoot
	}
	keys, err := gosysctl.NewClient(root)
	if err != nil {
		return nil, fmt.Errorf("settings below %s: %w", root, err)
	}
	return &Client{root: root, keys: keys}, nil
}

// Read gives the state of each key, in the order asked. A key that does not exist is a state, not an error; a key that
// exists and cannot be read is an error. All keys are tried, and their errors joined.
func (c *Client) Read(keys []string) ([]State, error) {
	states := make([]State, 0, len(keys))
	var errs []error
	for _, key := range keys {
		s, err := c.state(key)
		if err != nil {
			errs = append(errs, fmt.Errorf("read sysctl[%q]: %w", key, err))
			continue
		}
		states = append(states, s)
	}
	return states, errors.Join(errs...)
}

func (c *Client) state(key string) (State, error) {
	path, err := Path(c.root, key)
	if err != nil {
		return State{}, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return State{Key: key, Missing: true}, nil
	}
	if err != nil {
		return State{}, err
	}
	if !info.Mode().IsRegular() {
		return State{}, errors.New("a directory of settings, not a setting")
	}
	value, err := c.get(key, path)
	if errors.Is(err, fs.ErrNotExist) {
		return State{Key: key, Missing: true}, nil // its interface or module went away meanwhile
	}
	if err != nil {
		return State{}, err
	}
	return State{Key: key, Value: Fields(value), ReadOnly: readOnly(path, info)}, nil
}

// readOnly says whether no process could write the file. The kernel takes the write bits away from what belongs to the
// initial network namespace (net_ctl_permissions), and holds even root to the mode of a setting; containers mount the
// whole tree read-only. A caller without privilege is another thing: its write fails with fs.ErrPermission.
func readOnly(path string, info fs.FileInfo) bool {
	if info.Mode().Perm()&0o222 == 0 {
		return true
	}
	var mount unix.Statfs_t
	return unix.Statfs(path, &mount) == nil && mount.Flags&unix.ST_RDONLY != 0
}

// get reads one setting. go-sysctl turns every dot of a key into a slash, so a key with a dotted interface name is read
// through a client that is rooted in the setting's own directory, where only its last component is left.
func (c *Client) get(key, path string) (string, error) {
	if !strings.Contains(key, "/") {
		return c.keys.Get(key)
	}
	dir, err := gosysctl.NewClient(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return dir.Get(filepath.Base(path))
}

// write sets one existing setting without looking at what became of it.
func (c *Client) write(key string, fields []string) error {
	path, err := Path(c.root, key)
	if err != nil {
		return err
	}
	// go-sysctl creates what is missing, which a copy of the tree would let it do.
	if _, err := os.Stat(path); err != nil {
		return err
	}
	value := encode(key, fields)
	if !strings.Contains(key, "/") {
		return c.keys.Set(key, value)
	}
	dir, err := gosysctl.NewClient(filepath.Dir(path))
	if err != nil {
		return err
	}
	return dir.Set(filepath.Base(path), value)
}

// encode writes fields as the kernel parses them. A write of no bytes never reaches the kernel's parser, so an empty
// list is written as an empty line.
func encode(key string, fields []string) string {
	if len(fields) == 0 {
		return "\n"
	}
	if e, ok := Lookup(key); ok && e.Kind == PortList {
		return strings.Join(fields, ",")
	}
	return Join(fields)
}
