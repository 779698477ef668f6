package reconcile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/addrset"
)

// contents keeps what the kernel's list sets hold, one file a part, named by the part's digest. Reading a million
// elements back from the kernel takes minutes, so this is how a change of a big list becomes a delta.
type contents struct{ dir string }

// setDigest names the content of a whole list.
func setDigest(s *addrset.Set) string {
	digests := make([]string, 0, addrset.NumKinds)
	for kind := range addrset.NumKinds {
		digests = append(digests, s.Part(kind).Digest())
	}
	return strings.Join(digests, " ")
}

// isDigest says whether a string can name a part; it comes from the kernel's comments, which root may write freely, and
// becomes a file name.
func isDigest(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// Part gives the part that a digest names. A missing, damaged or foreign file is as good as none: the set is then
// replaced whole. It implements enforcer.Contents.
func (c contents) Part(digest string) (addrset.Part, bool) {
	if !isDigest(digest) {
		return addrset.Part{}, false
	}
	file, err := os.Open(filepath.Join(c.dir, digest))
	if err != nil {
		return addrset.Part{}, false
	}
	defer file.Close() //nolint:errcheck // nothing was written
	part, err := addrset.ReadPart(bufio.NewReaderSize(file, 1<<16))
	if err != nil || part.Digest() != digest {
		return addrset.Part{}, false
	}
	return part, true
}

// keep writes the parts of a desired ruleset that are not kept yet, and gives the names of those it wrote. A file that
// is there is taken for what it is called: Part finds out if it is not, and then the set is replaced whole.
func (c contents) keep(r *enforcer.Ruleset) (written []string, err error) {
	for i := range r.Sets {
		members := r.Sets[i].Members
		if members == nil {
			continue
		}
		digest := members.Digest()
		path := filepath.Join(c.dir, digest)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		err := writeAtomic(path, func(w io.Writer) error {
			b := bufio.NewWriterSize(w, 1<<16)
			if _, err := members.WriteTo(b); err != nil {
				return err
			}
			return b.Flush()
		})
		if err != nil {
			return written, fmt.Errorf("keep the content of %s: %w", r.Sets[i].Address, err)
		}
		written = append(written, digest)
	}
	return written, nil
}

// remove deletes contents that an apply put there and did not come to use.
func (c contents) remove(digests []string) error {
	var errs []error
	for _, d := range digests {
		if err := os.Remove(filepath.Join(c.dir, d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("drop list contents: %w", err))
		}
	}
	return errors.Join(errs...)
}

// drop removes what is not the content of a ruleset, and what interrupted writes left.
func (c contents) drop(r *enforcer.Ruleset) error {
	used := map[string]bool{}
	for i := range r.Sets {
		if m := r.Sets[i].Members; m != nil {
			used[m.Digest()] = true
		}
	}
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("drop unused list contents: %w", err)
	}
	var failed []error
	for _, e := range entries {
		if !used[e.Name()] {
			failed = append(failed, os.Remove(filepath.Join(c.dir, e.Name())))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("drop unused list contents: %w", err)
	}
	return nil
}
