// Command tcpguard makes one Linux host hold a declared TCP posture: see README.md. This package is flags, exit codes,
// wiring and printing; it decides nothing about the kernel.
//
// What it prints: data to standard output, everything else to standard error; errors in lower case, without a full
// stop, with a hint line where there is something to do about it.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/view"
	"github.com/tcpguard/tcpguard/policy"
)

func main() {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv, now: time.Now}
	os.Exit(a.run(os.Args[1:]))
}

// app is one run of the program: its streams, its environment and what its flags said.
type app struct {
	stdin, stdout, stderr *os.File
	getenv                func(string) (string, bool)
	now                   func() time.Time

	root  *cobra.Command
	flags globalFlags
	// parsed says that flags has what the command line and the environment say.
	parsed bool
	shown  view.View    // made by view()
	facts  policy.Facts // of this host, once the policy is loaded
}

// run carries out one command line and gives the exit code.
func (a *app) run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second interrupt ends the process at once: what that leaves is finished or undone by the next run.
	go func() { <-ctx.Done(); stop() }()

	a.root = a.rootCommand()
	a.root.SetArgs(args)
	a.root.SetOut(a.stdout)
	a.root.SetErr(a.stderr)
	err := a.root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errPending) {
		return exitPending
	}
	if said := exitCode(0); errors.As(err, &said) {
		return int(said)
	}
	f := failure(err)
	// What a failed apply left behind is more important than what ended it.
	if ctx.Err() != nil && errors.Is(err, context.Canceled) && f.ExitCode == exitError {
		f = failure(&problem{code: exitInterrupted, err: errors.New("interrupted")})
	}
	if a.view().Failure(f) != nil {
		return exitError
	}
	return f.ExitCode
}
