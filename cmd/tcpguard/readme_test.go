package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadmeNamesEverything keeps the guide complete: each command, flag and exit code is in it.
func TestReadmeNamesEverything(t *testing.T) {
	text := readme(t)
	root := (&app{}).rootCommand()
	flag := func(f *pflag.Flag) {
		if f.Name != "help" && !strings.Contains(text, "--"+f.Name) {
			t.Errorf("README.md does not mention --%s", f.Name)
		}
	}
	root.PersistentFlags().VisitAll(flag)
	for _, c := range shownCommands(root) {
		if !strings.Contains(text, c.Name()) {
			t.Errorf("README.md does not mention %s", c.Name())
		}
		c.Flags().VisitAll(flag)
	}
	for _, c := range exitCodes {
		if !strings.Contains(text, fmt.Sprintf("\n| %d | ", c.code)) {
			t.Errorf("README.md has no row for exit code %d", c.code)
		}
	}
}

// TestReadmePoliciesAreValid loads each piece of HCL in the guide.
func TestReadmePoliciesAreValid(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(blocks) < 2 {
		t.Fatalf("README.md has %d pieces of HCL", len(blocks))
	}
	for i, b := range blocks {
		file := filepath.Join(t.TempDir(), "readme.hcl")
		if err := os.WriteFile(file, []byte(b[1]), 0o644); err != nil {
			t.Fatal(err)
		}
		_, diags := policy.Load(policy.Options{Paths: []string{file}, CheckSysctl: sysctl.Check})
		if len(diags) > 0 {
			t.Errorf("piece %d: %v", i, diags)
		}
	}
}

// TestReadmeLinksLeadSomewhere follows the links to files.
func TestReadmeLinksLeadSomewhere(t *testing.T) {
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
