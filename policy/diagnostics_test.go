package policy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected diagnostics in testdata")

// TestDiagnostics loads each archive of testdata/diagnostics and compares every diagnostic with the archive's last
// file, "want": place, severity, summary, detail and related places. Lines of the archive's comment such as
// "var: name=value", "env: NAME=value", "var-file: path", "version: 1.0" and "limit: file-bytes=10" set options;
// its first line says what is shown.
func TestDiagnostics(t *testing.T) {
	archives, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			full, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			want := ""
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
				} else {
					files[f.Name] = string(f.Data)
				}
			}
			opts := write(t, files)
			applyComment(t, &opts, string(archive.Comment))
			_, diags := Load(opts)
			got := render(diags)
			if *update {
				rewrite(t, full, archive, got)
				return
			}
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func applyComment(t *testing.T, opts *Options, comment string) {
	t.Helper()
	opts.CheckSysctl = fakeCatalog
	opts.Vars = map[string]string{}
	for _, line := range strings.Split(comment, "\n")[1:] {
		key, value, _ := strings.Cut(line, ": ")
		name, text, _ := strings.Cut(value, "=")
		switch key {
		case "":
		case "var":
			opts.Vars[name] = text
		case "env":
			opts.Env = append(opts.Env, value)
		case "var-file":
			opts.VarFiles = append(opts.VarFiles, value)
		case "version":
			opts.Version = value
		case "path":
			opts.Paths = []string{value}
		case "limit":
			var n int64
			if _, err := fmt.Sscan(text, &n); err != nil {
				t.Fatal(err)
			}
			switch name {
			case "file-bytes":
				opts.MaxFileBytes = n
			case "list-bytes":
				opts.MaxListBytes = n
			case "list-entries":
				opts.MaxListEntries = int(n)
			default:
				t.Fatalf("unknown limit %q", name)
			}
		default:
			t.Fatalf("unknown option %q", line)
		}
	}
}

// fakeCatalog stands in for the sysctl catalog.
func fakeCatalog(key string, want []string, bound Bound) *SysctlProblem {
	switch {
	case key == "net.core.somaxcon":
		return &SysctlProblem{Kind: SysctlUnknownKey, Nearest: "net.core.somaxconn"}
	case key == "net.ipv4.tcp_syncookies" && want[0] == "5":
		return &SysctlProblem{Kind: SysctlOutOfRange, Text: "expected 0 to 2"}
	case key == "net.ipv4.tcp_congestion_control" && bound != Exact:
		return &SysctlProblem{Kind: SysctlBadBound, Text: "it holds a name"}
	}
	return nil
}

// render writes one diagnostic a line: "file:line:column-line:column: severity: summary: detail".
func render(diags Diagnostics) string {
	var b strings.Builder
	place := func(r Range, end Position) string {
		if r.File == "" {
			return "-"
		}
		return fmt.Sprintf("%s:%d:%d-%d:%d", r.File, r.Line, r.Column, end.Line, end.Column)
	}
	for _, d := range diags {
		fmt.Fprintf(&b, "%s: %s: %s: %s\n", place(d.Range, d.End), d.Severity, d.Summary, d.Detail)
		for _, r := range d.Related {
			fmt.Fprintf(&b, "    %s: %s\n", place(r.Range, r.End), r.Message)
		}
	}
	return b.String()
}

func rewrite(t *testing.T, path string, archive *txtar.Archive, got string) {
	t.Helper()
	var kept []txtar.File
	for _, f := range archive.Files {
		if f.Name != "want" {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
}
