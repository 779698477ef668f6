package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
)

// source is one parsed policy file.
type source struct {
	name string
	json bool
	file *hcl.File
}

// discover turns paths into the files to read, each once, directories in lexical order.
func (l *loader) discover() []string {
	var files []string
	seen := map[string]bool{}
	add := func(path string) {
		if clean := filepath.Clean(path); !seen[clean] {
			seen[clean] = true
			files = append(files, path)
		}
	}
	for _, path := range l.opts.Paths {
		info, err := os.Stat(path)
		if err != nil {
			l.report.errorHere("Policy not found", fmt.Sprintf("Cannot read %s: %s.", path, plainError(err)))
			continue
		}
		if !info.IsDir() {
			add(path)
			continue
		}
		entries, err := os.ReadDir(path) // sorted by name
		if err != nil {
			l.report.errorHere("Policy not readable", fmt.Sprintf("Cannot list %s: %s.", path, plainError(err)))
			continue
		}
		found := false
		for _, e := range entries {
			if isPolicyFile(e.Name()) && !e.IsDir() {
				found = true
				add(filepath.Join(path, e.Name()))
			}
		}
		if !found {
			l.report.errorHere("No policy found", fmt.Sprintf("The directory %s has no *.hcl or *.hcl.json file.", path))
		}
	}
	if len(l.opts.Paths) == 0 {
		l.report.errorHere("No policy given", "Name at least one policy file or directory.")
	}
	return files
}

// isPolicyFile leaves out what editors keep beside a file (.#web.hcl, web.hcl~) and the expectations of `tcpguard test`.
func isPolicyFile(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") {
		return false
	}
	if strings.HasSuffix(name, ".test.hcl") || strings.HasSuffix(name, ".test.hcl.json") {
		return false
	}
	return strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json")
}

// plainError drops the operation and path that os puts before an error, for they are in the sentence already.
func plainError(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// readRegular reads a whole file of at most limit bytes. Only regular files are opened: a FIFO would block for ever
// and a device never ends.
func readRegular(path string, limit int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	src, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(src)) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes", limit)
	}
	return src, nil
}

func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a directory")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	return os.Open(path)
}

// parseFile reads and parses one policy or variable file; nil when that failed, which is then reported.
func (l *loader) parseFile(path string) *source {
	src, err := readRegular(path, l.opts.MaxFileBytes)
	if err != nil {
		l.report.errorHere("File not readable", fmt.Sprintf("Cannot read %s: %s.", path, plainError(err)))
		return nil
	}
	return l.parse(path, src)
}

// parse checks a source against what would exhaust hcl's recursive parser before it gets to see it.
func (l *loader) parse(name string, src []byte) *source {
	l.report.files[name] = &hcl.File{Bytes: src}
	isJSON := strings.HasSuffix(name, ".json")
	guard := guardNative
	if isJSON {
		guard = guardJSON
	}
	if rng, problem := guard(src, name); problem != "" {
		l.report.errorAt(rng, "File too complex", problem)
		return nil
	}
	var file *hcl.File
	var diags hcl.Diagnostics
	if isJSON {
		file, diags = hcljson.Parse(src, name)
	} else {
		file, diags = hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	}
	if file != nil {
		l.report.files[name] = file
	}
	l.reportHCL(diags)
	if file == nil || diags.HasErrors() {
		return nil
	}
	return &source{name: name, json: isJSON, file: file}
}
