package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/view"
)

// view gives the view that --output asks for. It looks at the environment itself, so that a mistake in the command line,
// which is found before the environment is, is told in the right form too.
func (a *app) view() view.View {
	if a.shown == nil {
		output := a.flags.output
		if env, ok := a.getenv(environmentName("output")); ok && !a.parsed && !a.root.PersistentFlags().Changed("output") {
			output = env
		}
		if output == "json" {
			a.shown = view.NewJSON(a.stdout)
		} else {
			a.shown = view.NewText(a.stdout, a.stderr, view.Style{Color: a.color(a.stdout)}, view.Style{Color: a.color(a.stderr)})
		}
	}
	return a.shown
}

// streaming makes a JSON view write one object a line.
func (a *app) streaming() {
	if j, ok := a.view().(*view.JSON); ok {
		j.Stream = true
	}
}

// color says whether to paint what goes to f: see https://no-color.org for NO_COLOR.
func (a *app) color(f *os.File) bool {
	switch a.flags.color {
	case "always":
		return true
	case "never":
		return false
	}
	if v, ok := a.getenv("NO_COLOR"); ok && v != "" {
		return false
	}
	if v, _ := a.getenv("TERM"); v == "dumb" {
		return false
	}
	return isTerminal(f)
}

// isTerminal asks for the terminal's settings, which only a terminal has.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// logger writes to standard error at the level of --log-level.
func (a *app) logger() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(a.stderr)
	if level, err := logrus.ParseLevel(a.flags.logLevel); err == nil {
		log.SetLevel(level)
	}
	if a.flags.logFormat == "json" {
		log.SetFormatter(&logrus.JSONFormatter{})
	} else {
		log.SetFormatter(&logrus.TextFormatter{DisableColors: !a.color(a.stderr), FullTimestamp: true})
	}
	return log
}

// checkAsk refuses at once when somebody would have to be asked and nobody can be.
func (a *app) checkAsk(command string, autoApprove bool) error {
	switch {
	case autoApprove:
		return nil
	case a.flags.output == "json":
		return &problem{code: exitRefused, err: fmt.Errorf("%s with --output json cannot ask", command), hint: "add --auto-approve"}
	case !isTerminal(a.stdin) || !isTerminal(a.stderr):
		return &problem{
			code: exitRefused, err: fmt.Errorf("%s has to ask, and there is no terminal to ask on", command),
			hint: "add --auto-approve to go on without asking",
		}
	}
	return nil
}

// ask puts the question and takes only "yes" for consent.
func (a *app) ask(ctx context.Context, question string) error {
	fmt.Fprintf(a.stderr, "%s\n  Only 'yes' will be accepted: ", question)
	answer := make(chan string, 1)
	// Reading a terminal cannot be interrupted; the goroutine ends with the process.
	go func() {
		line, err := bufio.NewReader(a.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return ctx.Err()
	case line := <-answer:
		if line != "yes" {
			return &problem{code: exitRefused, err: fmt.Errorf("not approved: %q is not 'yes'; nothing was changed", line)}
		}
		return nil
	}
}
