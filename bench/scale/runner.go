package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Processes are measured by a small runner process. Linux starts a child's peak memory with that of the process it was
// forked from when both share memory until exec, as Go's do (setmax_mm_hiwater_rss in exec_mmap, fs/exec.c); forked
// from the benchmark itself, every program would seem to need at least what the benchmark needed for its lists.
const runnerArgument = "serve-runner"

// command is a process to run to its end.
type command struct {
	Argv  []string
	Netns string // path; "" is the runner's own
	Stdin string // file; "" is empty input
	Into  string // file that takes standard output; "" keeps the beginning in usage.Stdout
	Env   []string
	OK    []int         // exit codes that are no failure, besides 0
	Limit time.Duration // after which the process is killed, which is no failure; 0 waits for ever
}

// usage is what a process took.
type usage struct {
	Wall, CPU time.Duration
	PeakKiB   int64
	Code      int
	Stdout    string
	Stderr    string
	Limited   bool   // it was killed after command.Limit
	Failed    string // the process could not be run
}

// runner is the client's side.
type runner struct {
	requests *json.Encoder
	replies  *json.Decoder
}

func (b *bench) startRunner() {
	cmd := exec.Command("/proc/self/exe", runnerArgument)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatalf("start runner: %v", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatalf("start runner: %v", err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatalf("start runner: %v", err)
	}
	b.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	b.runner = &runner{json.NewEncoder(stdin), json.NewDecoder(stdout)}
}

// run measures a process.
func (b *bench) run(c command) usage {
	var u usage
	if err := errors.Join(b.runner.requests.Encode(c), b.runner.replies.Decode(&u)); err != nil {
		b.Fatalf("talk to the runner: %v", err)
	}
	if u.Failed != "" {
		b.Fatalf("run %v: %s", c.Argv, u.Failed)
	}
	return u
}

// must is run for a process that has to succeed.
func (b *bench) must(c command) usage {
	u := b.run(c)
	ok := u.Code == 0 || u.Limited
	for _, code := range c.OK {
		ok = ok || u.Code == code
	}
	if !ok {
		b.Fatalf("%v ended with code %d:\n%s%s", c.Argv, u.Code, u.Stdout, u.Stderr)
	}
	return u
}

func serveRunner(in io.Reader, out io.Writer) {
	requests, replies := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var c command
		if requests.Decode(&c) != nil {
			return
		}
		if replies.Encode(measure(c)) != nil {
			return
		}
	}
}

func measure(c command) usage {
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	stdout, stderr := &head{}, &head{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if c.Stdin != "" {
		file, err := os.Open(c.Stdin)
		if err != nil {
			return usage{Failed: err.Error()}
		}
		defer file.Close()
		cmd.Stdin = file
	}
	if c.Into != "" {
		file, err := os.Create(c.Into)
		if err != nil {
			return usage{Failed: err.Error()}
		}
		defer file.Close()
		cmd.Stdout = file
	}
	started := time.Now()
	err := inNetns(c.Netns, cmd.Start)
	limited := false
	if err == nil {
		if c.Limit > 0 {
			killer := time.AfterFunc(c.Limit, func() { _ = cmd.Process.Kill() })
			defer killer.Stop()
		}
		err = cmd.Wait()
		limited = c.Limit > 0 && time.Since(started) >= c.Limit
	}
	wall := time.Since(started)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return usage{Failed: err.Error()}
	}
	state := cmd.ProcessState
	return usage{
		Wall: wall, CPU: state.UserTime() + state.SystemTime(),
		PeakKiB: state.SysUsage().(*syscall.Rusage).Maxrss, // KiB on Linux, getrusage(2)
		Code:    state.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String(), Limited: limited,
	}
}

// inNetns forks from a thread in the namespace; the thread is thrown away afterwards.
func inNetns(path string, start func() error) error {
	if path == "" {
		return start()
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		file, err := os.Open(path)
		if err == nil {
			defer file.Close()
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			failed <- fmt.Errorf("enter %s: %w", path, err)
			return
		}
		failed <- start()
	}()
	return <-failed
}

// head keeps the first part of a process's output, so that a chatty one does not make the runner grow.
type head struct{ bytes.Buffer }

const kept = 16 << 10

func (h *head) Write(p []byte) (int, error) {
	if room := kept - h.Len(); room > 0 {
		h.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
