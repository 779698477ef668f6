package sysctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

// tree makes a copy of /proc/sys that holds values, by key.
func tree(t *testing.T, values map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for key, value := range values {
		path, err := Path(root, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func newClient(t *testing.T, root string) *Client {
	t.Helper()
	c, err := NewClient(root)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// value reads one key, "missing" when it does not exist.
func value(t *testing.T, c *Client, key string) string {
	t.Helper()
	s, err := c.Read([]string{key})
	if err != nil {
		t.Fatal(err)
	}
	if s[0].Missing {
		return "missing"
	}
	return Join(s[0].Value)
}

func TestRead(t *testing.T) {
	root := tree(t, map[string]string{
		"fs.file-max": "100", "net.ipv4.tcp_rmem": "4096\t131072\t6291456", "net.ipv4.conf.eth0/100.rp_filter": "2",
		"net.ipv4.conf.eth0.rp_filter": "1", "net.ipv4.ip_local_reserved_ports": "",
	})
	readOnly, err := Path(root, "fs.file-max")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(readOnly, 0o444); err != nil {
		t.Fatal(err)
	}
	states, err := newClient(t, root).Read([]string{
		"fs.file-max", "net.ipv4.tcp_rmem", "net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0.rp_filter", "net.ipv4.ip_local_reserved_ports",
		"net.ipv4.missing", "net.missing.directory", "fs.file-max.below",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []State{
		{Key: "fs.file-max", Value: []string{"100"}, ReadOnly: true},
		{Key: "net.ipv4.tcp_rmem", Value: []string{"4096", "131072", "6291456"}},
		{Key: "net.ipv4.conf.eth0/100.rp_filter", Value: []string{"2"}},
		{Key: "net.ipv4.conf.eth0.rp_filter", Value: []string{"1"}},
		{Key: "net.ipv4.ip_local_reserved_ports", Value: []string{}},
		{Key: "net.ipv4.missing", Missing: true},
		{Key: "net.missing.directory", Missing: true},
		{Key: "fs.file-max.below", Missing: true},
	}
	for i, s := range states {
		w := want[i]
		if s.Key != w.Key || !slices.Equal(s.Value, w.Value) || s.Missing != w.Missing || s.ReadOnly != w.ReadOnly {
			t.Errorf("state %+v, want %+v", s, w)
		}
	}
}

func TestReadTellsWhatCannotBeRead(t *testing.T) {
	c := newClient(t, tree(t, map[string]string{"net.core.somaxconn": "1"}))
	states, err := c.Read([]string{"net.core", "../etc", "net.core.somaxconn"})
	if len(states) != 1 || err == nil || !strings.Contains(err.Error(), `read sysctl["net.core"]: a directory`) || !strings.Contains(err.Error(), `read sysctl["../etc"]`) {
		t.Errorf("states %v, error %v: want one state and two errors", states, err)
	}
	if _, err := NewClient(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a root that is missing is taken")
	}
}

func TestApplyWritesAndReadsBack(t *testing.T) {
	c := newClient(t, tree(t, map[string]string{"fs.file-max": "100", "net.ipv4.conf.eth0/100.rp_filter": "0"}))
	steps := []Step{
		{Key: "fs.file-max", Before: []string{"100"}, After: []string{"2000"}, Setting: want("fs.file-max", policy.AtLeast, "2000")},
		{Key: "net.ipv4.conf.eth0/100.rp_filter", Before: []string{"0"}, After: []string{"1"}, Setting: want("net.ipv4.conf.eth0/100.rp_filter", policy.Exact, "1")},
	}
	done, err := c.ApplyAll(steps)
	if err != nil || len(done) != 2 || value(t, c, "fs.file-max") != "2000" || value(t, c, "net.ipv4.conf.eth0/100.rp_filter") != "1" {
		t.Fatalf("done %v, %v; file-max %s, rp_filter %s", done, err, value(t, c, "fs.file-max"), value(t, c, "net.ipv4.conf.eth0/100.rp_filter"))
	}
	if err := c.Undo(done); err != nil || value(t, c, "fs.file-max") != "100" || value(t, c, "net.ipv4.conf.eth0/100.rp_filter") != "0" {
		t.Errorf("undo: %v; file-max %s, rp_filter %s", err, value(t, c, "fs.file-max"), value(t, c, "net.ipv4.conf.eth0/100.rp_filter"))
	}
}

func TestApplyStopsAtTheFirstError(t *testing.T) {
	root := tree(t, map[string]string{"fs.file-max": "100", "fs.nr_open": "10"})
	c := newClient(t, root)
	steps := []Step{
		{Key: "fs.nr_open", Before: []string{"10"}, After: []string{"20"}},
		{Key: "fs.gone", Before: []string{"1"}, After: []string{"2"}},
		{Key: "fs.file-max", Before: []string{"100"}, After: []string{"200"}},
	}
	done, err := c.ApplyAll(steps)
	if len(done) != 2 || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `write sysctl["fs.gone"] = 2 (it holds 1)`) {
		t.Errorf("done %v, error %v", done, err)
	}
	if _, err := os.Stat(filepath.Join(root, "fs/gone")); err == nil {
		t.Error("a key was created")
	}
	if err := c.Undo(done); err != nil || value(t, c, "fs.nr_open") != "10" || value(t, c, "fs.file-max") != "100" {
		t.Errorf("undo: %v; nr_open %s, file-max %s", err, value(t, c, "fs.nr_open"), value(t, c, "fs.file-max"))
	}
}

func TestUndoGoesOnAfterAnError(t *testing.T) {
	root := tree(t, map[string]string{"fs.nr_open": "20", "fs.file-max": "200", "fs.file-nr.broken": "a directory where a key was"})
	c := newClient(t, root)
	err := c.Undo([]Step{
		{Key: "fs.nr_open", Before: []string{"10"}, After: []string{"20"}},
		{Key: "fs.file-nr", Before: []string{"1"}, After: []string{"2"}},
		{Key: "fs.gone", Before: []string{"1"}, After: []string{"2"}},
		{Key: "fs.file-max", Before: []string{"100"}, After: []string{"200"}},
	})
	if err == nil || !strings.Contains(err.Error(), `undo: write sysctl["fs.file-nr"]`) || strings.Contains(err.Error(), "fs.gone") {
		t.Errorf("error %v, want one for fs.file-nr and none for a key that is gone", err)
	}
	if a, b := value(t, c, "fs.nr_open"), value(t, c, "fs.file-max"); a != "10" || b != "100" {
		t.Errorf("nr_open %s, file-max %s: want what was found", a, b)
	}
}
