package sysctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/tcpguard/tcpguard/policy"
)

// journalFile holds the originals, in the state directory.
const journalFile = "originals.json"

// journalVersion is the format of the file. A program reads only its own.
const journalVersion = "1.0"

// Original is what is remembered of one key that was written.
type Original struct {
	Value    []string        `json:"original"`  // found before the first write
	Applied  []string        `json:"applied"`   // last written, or about to be
	Epoch    string          `json:"epoch"`     // the boot and network namespace that Value was found in
	OnRemove policy.OnRemove `json:"on_remove"` // what becomes of the key when it is no longer declared
	// Follows is the key whose write makes the kernel change this one by itself; "" for a key that was written.
	Follows string `json:"follows,omitempty"`
}

// Journal remembers, across crashes and reboots, what every written key held before tcpguard wrote it the first time.
// The file is replaced whole (written, fsynced, renamed, its directory fsynced), so it is either the old or the new one.
type Journal struct {
	path  string
	epoch string
	keys  map[string]Original
}

// journalContent is the file.
type journalContent struct {
	FormatVersion string              `json:"format_version"`
	Keys          map[string]Original `json:"keys"`
}

// Open reads the journal of a state directory; one that was never written is empty. Epoch names the running kernel and
// the network namespace (boot id and namespace identity): values of another epoch are gone with it. A file that cannot
// be understood is an error and is left alone, because it may be all that is known of the original values.
func Open(dir, epoch string) (*Journal, error) {
	j := &Journal{path: filepath.Join(dir, journalFile), epoch: epoch, keys: map[string]Original{}}
	data, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal of original sysctls: %w", err)
	}
	content, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s, the journal of original sysctls, is damaged (%w): read off what it still shows, put those values back by hand or let a reboot do it, then move the file away", j.path, err)
	}
	j.keys = content.Keys
	return j, nil
}

func decode(data []byte) (journalContent, error) {
	var c journalContent
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&c); err != nil {
		return c, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return c, errors.New("something follows its end")
	}
	if c.FormatVersion != journalVersion {
		return c, fmt.Errorf("format_version %q, this program reads %q", c.FormatVersion, journalVersion)
	}
	if c.Keys == nil {
		return c, errors.New("it has no keys")
	}
	for key, o := range c.Keys {
		if normal, err := ParseKey(key); err != nil || normal != key {
			return c, fmt.Errorf("%q is no key", key)
		}
		if o.OnRemove != policy.RemoveRestore && o.OnRemove != policy.RemoveKeep {
			return c, fmt.Errorf("%s: on_remove %q", key, o.OnRemove)
		}
	}
	return c, nil
}

// Keys are the journaled keys, sorted.
func (j *Journal) Keys() []string { return slices.Sorted(maps.Keys(j.keys)) }

// Original gives what is remembered of a key.
func (j *Journal) Original(key string) (Original, bool) {
	o, ok := j.keys[key]
	return o, ok
}

// Record writes down what the steps are about to overwrite; it must return before the first of them is applied. Each
// original is recorded once: a later step on the same key only changes what counts as applied. In another epoch (after
// a reboot) a value in force that is not the one applied before came from somewhere else, and is the new original.
// Steps with the zero Setting restore and record nothing.
func (j *Journal) Record(steps []Step) error {
	keys := maps.Clone(j.keys)
	for _, s := range steps {
		if s.Setting.Key == "" {
			continue
		}
		keys[s.Key] = j.entry(s)
		for _, f := range s.Follow {
			if _, known := keys[f.Key]; !known {
				e := j.entry(Step{Key: f.Key, Before: f.Value, After: f.Value, Setting: s.Setting})
				e.Follows = s.Key
				keys[f.Key] = e
			}
		}
	}
	return j.replace(keys)
}

func (j *Journal) entry(s Step) Original {
	e := Original{Value: s.Before, Applied: s.After, Epoch: j.epoch, OnRemove: s.Setting.OnRemove}
	if e.OnRemove == "" {
		e.OnRemove = policy.RemoveRestore
	}
	old, known := j.keys[s.Key]
	if known && (old.Epoch == j.epoch || Equal(s.Key, s.Before, old.Applied)) {
		e.Value = old.Value
	}
	return e
}

// Declare takes over what settings say about removal, for keys that were written earlier and need no step now.
func (j *Journal) Declare(settings []Setting) error {
	keys := maps.Clone(j.keys)
	for _, s := range settings {
		if o, known := keys[s.Key]; known && s.OnRemove != "" {
			o.OnRemove = s.OnRemove
			keys[s.Key] = o
		}
	}
	return j.replace(keys)
}

// Undone takes back what Record noted, after the steps were undone or never applied: keys that hold their original
// again are forgotten.
func (j *Journal) Undone(steps []Step) error {
	keys := maps.Clone(j.keys)
	for _, s := range steps {
		o, known := keys[s.Key]
		if !known {
			continue
		}
		if o.Applied = s.Before; !Equal(s.Key, o.Value, o.Applied) {
			keys[s.Key] = o
			continue
		}
		delete(keys, s.Key)
		maps.DeleteFunc(keys, func(_ string, f Original) bool { return f.Follows == s.Key })
	}
	return j.replace(keys)
}

// Forget drops keys, once they were restored or are to be kept as they are.
func (j *Journal) Forget(keys ...string) error {
	left := maps.Clone(j.keys)
	for _, k := range keys {
		delete(left, k)
	}
	return j.replace(left)
}

// replace makes keys the content, on disk first. An unchanged journal is not written.
func (j *Journal) replace(keys map[string]Original) error {
	if maps.EqualFunc(j.keys, keys, sameOriginal) {
		return nil
	}
	data, err := json.MarshalIndent(journalContent{FormatVersion: journalVersion, Keys: keys}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the journal of original sysctls: %w", err)
	}
	dir := filepath.Dir(j.path)
	// The temporary file stands beside the journal: a rename must not cross file systems.
	if err := renameio.WriteFile(j.path, append(data, '\n'), 0o600, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("write the journal of original sysctls: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("write the journal of original sysctls: %w", err)
	}
	j.keys = keys
	return nil
}

func sameOriginal(a, b Original) bool {
	return slices.Equal(a.Value, b.Value) && slices.Equal(a.Applied, b.Applied) &&
		a.Epoch == b.Epoch && a.OnRemove == b.OnRemove && a.Follows == b.Follows
}

// syncDir makes a rename in dir durable; renameio syncs the file alone.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
