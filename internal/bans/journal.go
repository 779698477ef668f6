package bans

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// journalFile keeps why bans were made, a JSON object a line, oldest first.
const journalFile = "bans.jsonl"

// Bounds of the journal in bytes: when it is longer than the first, the oldest lines go until the second is met. A
// hundred thousand IPv4 addresses take about 1.7 MiB.
const (
	maxJournal  = 16 << 20
	keepJournal = 8 << 20
)

// Journal explains bans. It decides nothing: without it bans are the same and have no reason to show.
type Journal struct {
	dir  string
	now  func() time.Time
	most int64 // bytes, see maxJournal
	keep int64
}

// NewJournal keeps the journal in a directory, which is made when it is first written.
func NewJournal(dir string, now func() time.Time) *Journal {
	return &Journal{dir: dir, now: now, most: maxJournal, keep: keepJournal}
}

// What a record tells of.
const (
	actionAdd   = "add"
	actionDel   = "del"
	actionFlush = "flush"
)

// Author is who makes a change, and why.
type Author struct {
	UID    int    `json:"uid"`
	Login  string `json:"login"`
	Reason string `json:"reason"`
}

// record is one line.
type record struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"`
	In     string    `json:"in"`
	Author
	Expires time.Time `json:"expires,omitzero"` // the zero time: never
	Bans    []string  `json:"bans,omitempty"`
}

// note is what the journal says of a ban in force.
type note struct {
	since, expires time.Time
	Author
}

type noteKey struct {
	place Place
	span  Span
}

func (j *Journal) path() string { return filepath.Join(j.dir, journalFile) }

// append adds records in one write under a lock, so that those of two processes do not mix, and makes them durable. A
// line that a crash cut off is closed first, and skipped by load.
func (j *Journal) append(records []record) (err error) {
	if len(records) == 0 {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the journal of bans: %w", err)
		}
	}()
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	unlock, err := j.lock()
	if err != nil {
		return err
	}
	defer unlock()
	file, err := os.OpenFile(j.path(), os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	lines, err := encode(records)
	if err != nil {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, size-1); size > 0 && (err != nil || last[0] != '\n') {
		lines = append([]byte{'\n'}, lines...)
	}
	if _, err := file.Write(lines); err != nil {
		return err
	}
	if size+int64(len(lines)) > j.most {
		return j.shorten()
	}
	return file.Sync()
}

func encode(records []record) ([]byte, error) {
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	for _, r := range records {
		if err := e.Encode(r); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

// lock keeps other writers away. It is a file of its own, because shorten replaces the journal.
func (j *Journal) lock() (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(j.dir, "bans.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil
}

// shorten leaves the newest lines, in an atomic replacement.
func (j *Journal) shorten() error {
	content, err := os.ReadFile(j.path())
	if err != nil {
		return err
	}
	rest := content[max(int64(len(content))-j.keep, 0):]
	// From the next line on; a single line that is too long is dropped with the others.
	if i := bytes.IndexByte(rest, '\n'); i >= 0 && len(rest) < len(content) {
		rest = rest[i+1:]
	}
	return renameio.WriteFile(j.path(), rest, 0o600)
}

// load gives what is known of the bans that have not ended. Lines that cannot be read are skipped, and a missing
// journal is an empty one.
func (j *Journal) load() (map[noteKey]note, error) {
	notes := map[noteKey]note{}
	file, err := os.Open(j.path())
	if errors.Is(err, fs.ErrNotExist) {
		return notes, nil
	}
	if err != nil {
		return notes, fmt.Errorf("read the journal of bans: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	lines := bufio.NewReaderSize(io.LimitReader(file, 2*j.most), 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		var r record
		if json.Unmarshal(line, &r) == nil {
			r.apply(notes)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return notes, fmt.Errorf("read the journal of bans: %w", err)
		}
	}
	now := j.now()
	for key, n := range notes {
		if !n.expires.IsZero() && n.expires.Before(now) {
			delete(notes, key)
		}
	}
	return notes, nil
}

// apply brings the notes from before the record to behind it.
func (r *record) apply(notes map[noteKey]note) {
	place := ParsePlace(r.In)
	if r.Action == actionFlush {
		for key := range notes {
			if key.place == place {
				delete(notes, key)
			}
		}
		return
	}
	for _, text := range r.Bans {
		span, err := ParseSpan(text)
		if err != nil {
			continue
		}
		if key := (noteKey{place, span}); r.Action == actionAdd {
			notes[key] = note{r.Time, r.Expires, r.Author}
		} else {
			delete(notes, key)
		}
	}
}
