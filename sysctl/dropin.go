package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// dropinDirs are where systemd-sysctl looks, the first that has a name wins (CONF_PATHS in systemd). /etc/sysctl.conf is
// not read; Debian links it as /etc/sysctl.d/99-sysctl.conf. /lib is a directory of its own only on systems older than
// the merged /usr.
var dropinDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"}

// maxDropin bounds what is read of one file, in bytes.
const maxDropin = 1 << 20

// dropin is one line of a sysctl.d file.
type dropin struct {
	path     string // the key as a path below /proc/sys, which may be a glob
	value    string
	excluded bool   // "-key" without a value: no glob sets the key
	file     string // as seen below the root
	line     int
}

// Dropins is what the sysctl.d files of a system say, in the order in which systemd-sysctl writes it.
type Dropins struct{ lines []dropin }

// LoadDropins reads the sysctl.d files below root ("/" for this system) as systemd-sysctl(8) does: a file hides those of
// the same name in later directories, an empty file or a link to /dev/null hides them without saying anything itself,
// and the rest are read in the order of their names, whatever their directory. Files that cannot be read are joined in
// the error; what the others say is still returned.
func LoadDropins(root string) (Dropins, error) {
	files, errs := dropinFiles(root)
	var d Dropins
	for _, f := range files {
		data, err := os.ReadFile(f.real)
		if err == nil && len(data) > maxDropin {
			err = fmt.Errorf("%d bytes, %d at most", len(data), maxDropin)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", f.shown, err))
			continue
		}
		for _, line := range parseDropin(string(data)) {
			line.file = f.shown
			d.add(line)
		}
	}
	return d, errors.Join(errs...)
}

// add keeps one line for each key or glob. A repeated key moves to the end, because the order decides between globs;
// repeated with the same value it stays.
func (d *Dropins) add(line dropin) {
	i := slices.IndexFunc(d.lines, func(o dropin) bool { return o.path == line.path })
	if i >= 0 {
		if d.lines[i].value == line.value && d.lines[i].excluded == line.excluded {
			return
		}
		d.lines = slices.Delete(d.lines, i, i+1)
	}
	d.lines = append(d.lines, line)
}

// parseDropin reads the lines of one file. Lines that assign nothing are ignored, as systemd-sysctl does.
func parseDropin(text string) []dropin {
	var lines []dropin
	for i, raw := range strings.Split(text, "\n") {
		line := strings.TrimSpace(raw)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		key, value, assigned := strings.Cut(line, "=")
		name, dash := strings.CutPrefix(key, "-")
		if !assigned && !dash {
			continue
		}
		path := dropinPath(strings.TrimSpace(name))
		lines = append(lines, dropin{path: path, value: strings.TrimSpace(value), excluded: !assigned, line: i + 1})
	}
	return lines
}

// dropinPath turns a key or glob into a path as sysctl_normalize does: when its first separator is a dot, dots and
// slashes change places.
func dropinPath(key string) string {
	first := strings.IndexAny(key, "./")
	if first >= 0 && key[first] == '.' {
		key = strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, key)
	}
	return strings.Trim(filepath.Clean("/"+key), "/")
}

// dropinFile is a file that takes part.
type dropinFile struct{ shown, real string }

func dropinFiles(root string) ([]dropinFile, []error) {
	var errs []error
	byName := map[string]dropinFile{}
	for _, dir := range dropinDirs {
		entries, err := os.ReadDir(resolveLinks(root, dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, e := range entries {
			name := e.Name()
			if _, hidden := byName[name]; hidden || !strings.HasSuffix(name, ".conf") || name[0] == '.' {
				continue
			}
			shown := filepath.Join(dir, name)
			byName[name] = dropinFile{shown: shown, real: resolveLinks(root, shown)}
		}
	}
	var files []dropinFile
	for _, f := range byName {
		info, err := os.Stat(f.real)
		switch {
		case errors.Is(err, fs.ErrNotExist): // a link to nowhere, or to /dev/null in a copy of a system
		case err != nil:
			errs = append(errs, err)
		case info.Mode().IsRegular() && info.Size() > 0:
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b dropinFile) int {
		return strings.Compare(filepath.Base(a.shown), filepath.Base(b.shown))
	})
	return files, errs
}

// maxLinks is where the kernel gives up on links, too (MAXSYMLINKS).
const maxLinks = 40

// resolveLinks follows the symbolic links of a path inside root, where an absolute target starts at root again.
func resolveLinks(root, path string) string {
	rest := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	at := "/"
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0]) // a ".." cannot leave root, because Join cleans it at "/"
		rest = rest[1:]
		target, err := os.Readlink(filepath.Join(root, next))
		if err != nil || links == maxLinks {
			at = next
			continue
		}
		links++
		rest = append(strings.Split(strings.Trim(filepath.Clean(target), "/"), "/"), rest...)
		if filepath.IsAbs(target) {
			at = "/"
		}
	}
	return filepath.Join(root, at)
}
