package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// TestMain makes the test binary the program too: scripts run it as tcpguard.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tcpguard": main})
}

// TestScripts runs testdata/script/*.txtar, a file for each command and exit code. In a script
//
//	netns           makes a network namespace, whose name is then $NS; scripts ask for [root] before
//	in COMMAND      runs a program in it, with or without ! before
//	sysctls         copies the machine's settings to $SYSCTL, for --sysctl-root
//	replace A B F   replaces a text in a file
//	code N COMMAND  runs tcpguard and wants exit code N; stdout and stderr see what it printed
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples/policies")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("TCPGUARD_STATE_DIR", filepath.Join(env.WorkDir, ".state"))
			env.Setenv("TCPGUARD_RUN_DIR", filepath.Join(env.WorkDir, ".run"))
			// A program under the race detector sleeps a second at its end, and scripts run hundreds.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": wantCode, "netns": makeNamespace, "in": inNamespace, "sysctls": copySysctls, "replace": replaceText,
		},
	})
}

// scriptT makes a script what nettest wants of a test.
type scriptT struct{ *testscript.TestScript }

func (scriptT) Helper()                      {}
func (t scriptT) Cleanup(f func())           { t.Defer(f) }
func (t scriptT) Logf(f string, args ...any) { t.TestScript.Logf(f, args...) }
func (t scriptT) Skipf(f string, args ...any) {
	// A script engine's own skip takes a reason only from the script, so the script's test is skipped by its parent.
	panic("scripts ask for [root] before netns: " + fmt.Sprintf(f, args...))
}

func makeNamespace(ts *testscript.TestScript, _ bool, _ []string) {
	ns := nettest.New(scriptT{ts})
	ts.Setenv("NS", ns.Name())
	ts.Setenv("TCPGUARD_NETNS", ns.Name())
}

func inNamespace(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("ip", append([]string{"netns", "exec", ts.Getenv("NS")}, args...)...)
	if (err != nil) != neg {
		ts.Fatalf("%s: error is %v", strings.Join(args, " "), err)
	}
}

func replaceText(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	old := ts.ReadFile(args[2])
	if !strings.Contains(old, args[0]) {
		ts.Fatalf("%s has no %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(old, args[0], args[1])), 0o644))
}

// wantCode runs tcpguard and compares its exit code, which exec alone does not tell.
func wantCode(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: code N [ARGUMENT...]")
	}
	err := ts.Exec("tcpguard", args[1:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("run tcpguard: %v", err)
	}
	if args[0] != strconv.Itoa(got) {
		ts.Fatalf("exit code is %d, want %s", got, args[0])
	}
}

// copySysctls makes a tree of plain files with what this machine shows, so that a script can write keys that belong to
// all of it. Keys that cannot be read are left out.
func copySysctls(ts *testscript.TestScript, _ bool, _ []string) {
	root := ts.MkAbs("sysctl")
	for _, dir := range []string{"fs", "net/core", "net/ipv4", "net/netfilter"} {
		ts.Check(os.MkdirAll(filepath.Join(root, filepath.Dir(dir)), 0o755))
		// cp fails for the keys that can only be written.
		_ = ts.Exec("cp", "-r", "--no-preserve=all", filepath.Join("/proc/sys", dir), filepath.Join(root, dir))
	}
	ts.Setenv("TCPGUARD_SYSCTL_ROOT", root)
	ts.Setenv("SYSCTL", root)
}

func TestProgressSpeaksUpWhereThereIsNoTerminal(t *testing.T) {
	lines := make(chan string, 64)
	p := startProgress(lineWriter(lines), false, time.Millisecond)
	defer p.stop()
	p.step("commit")
	for {
		select {
		case line := <-lines:
			if strings.HasPrefix(line, "still committing to nftables, ") {
				return
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no line came")
		}
	}
}

func TestProgressOnATerminalLeavesNothingBehind(t *testing.T) {
	drawn := make(chan string, 64)
	p := startProgress(lineWriter(drawn), true, time.Millisecond)
	p.step("verify")
	for line := range drawn {
		if line == "\r\x1b[Kreading back … 0s" {
			break
		}
	}
	p.stop()
	p.stop()
	last := ""
	for len(drawn) > 0 {
		last = <-drawn
	}
	if last != "\r\x1b[K" {
		t.Errorf("wrote %q last, want the line cleared", last)
	}
}

func TestShortWorkDrawsNothing(t *testing.T) {
	var out strings.Builder
	p := startProgress(&out, true, time.Hour)
	p.step("verify")
	p.stop()
	if out.Len() > 0 {
		t.Errorf("wrote %q", &out)
	}
}

// lineWriter passes on what is written, dropping what nobody takes.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	select {
	case w <- string(p):
	default:
	}
	return len(p), nil
}
