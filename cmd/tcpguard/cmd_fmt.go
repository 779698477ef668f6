package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/view"
	"github.com/tcpguard/tcpguard/policy"
)

// maxFormatBytes bounds what fmt reads of one file, as policy.Load does.
const maxFormatBytes = policy.DefaultMaxFileBytes

func (a *app) fmtCommand() *cobra.Command {
	var check, showDiff bool
	cmd := &cobra.Command{
		Use:   "fmt [PATH or -]",
		Short: "bring policy files into canonical form",
		Long: `Rewrites the *.hcl files of PATH, a file or a directory, in canonical form and names those that changed. Without PATH it
takes those of --policy; with - it reads standard input and writes the result to standard output. JSON files are left
alone.`,
		Example: `  tcpguard fmt web.hcl
  tcpguard fmt --check --diff /etc/tcpguard/policies`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if slices.Equal(args, []string{"-"}) {
				return a.formatStdin(check, showDiff)
			}
			if len(args) == 0 {
				if err := a.checkDefaultPolicies(); err != nil {
					return err
				}
				args = a.flags.policies
			}
			return a.formatFiles(args, check, showDiff)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit 2 when a file is not in canonical form")
	cmd.Flags().BoolVar(&showDiff, "diff", false, "write nothing; show what would change")
	return cmd
}

// formatStdin filters standard input. The document of --output json would not be the formatted text, so it gives none
// unless it is asked to check or to compare.
func (a *app) formatStdin(check, showDiff bool) error {
	source, err := readBounded(a.stdin)
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	formatted, err := a.format("<standard input>", source)
	if err != nil {
		return err
	}
	if !check && !showDiff {
		_, err := a.stdout.Write(formatted)
		return err
	}
	f := view.Formatted{}
	if !bytes.Equal(source, formatted) {
		f.Files = []string{"<standard input>"}
		if showDiff {
			f.Diff = string(diff.Diff("<standard input>", source, "formatted", formatted))
		}
	}
	return a.showFormatted(f, check)
}

// formatFiles brings files and the files of directories into canonical form.
func (a *app) formatFiles(paths []string, check, showDiff bool) error {
	files, err := hclFiles(paths)
	if err != nil {
		return err
	}
	f := view.Formatted{Written: !check && !showDiff}
	for _, name := range files {
		source, err := readFile(name)
		if err != nil {
			return err
		}
		formatted, err := a.format(name, source)
		if err != nil {
			return err
		}
		if bytes.Equal(source, formatted) {
			continue
		}
		f.Files = append(f.Files, name)
		if showDiff {
			f.Diff += string(diff.Diff(name, source, name+" (formatted)", formatted))
		}
		if f.Written {
			if err := replace(name, formatted); err != nil {
				return err
			}
		}
	}
	return a.showFormatted(f, check)
}

func (a *app) showFormatted(f view.Formatted, check bool) error {
	if err := a.view().Formatted(f); err != nil {
		return err
	}
	if check && len(f.Files) > 0 {
		return errPending
	}
	return nil
}

// format gives the canonical form; source that is no HCL has none.
func (a *app) format(name string, source []byte) ([]byte, error) {
	formatted, diags := policy.Format(name, source)
	if err := a.view().Diagnostics(diags); err != nil {
		return nil, err
	}
	return formatted, a.judge(diags)
}

// hclFiles gives the files that are named, and the native ones of the directories that are.
func hclFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("find policy: %w", err)
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("list policies: %w", err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".hcl") && !e.IsDir() {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	return files, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	defer f.Close()
	source, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return source, nil
}

func readBounded(r io.Reader) ([]byte, error) {
	source, err := io.ReadAll(io.LimitReader(r, maxFormatBytes+1))
	if err == nil && len(source) > maxFormatBytes {
		err = errors.New("larger than a policy file may be")
	}
	return source, err
}

// replace puts the new content in place of the old at once, and follows a symbolic link instead of replacing it.
func replace(name string, content []byte) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("write policy: %w", err)
	}
	if err := renameio.WriteFile(target, content, 0o644, renameio.WithExistingPermissions()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
