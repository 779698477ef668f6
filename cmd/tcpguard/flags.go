package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// globalFlags are understood by every command.
type globalFlags struct {
	policies   []string
	vars       []string
	varFiles   []string
	strict     bool
	output     string
	color      string
	netns      string
	stateDir   string
	runDir     string
	sysctlRoot string
	logLevel   string
	logFormat  string
}

const defaultPolicies = "/etc/tcpguard/policies"

// choices are the flags that take one of a few words. The first is the default.
var choices = map[string][]string{
	"output":     {"text", "json"},
	"color":      {"auto", "always", "never"},
	"log-level":  {"warn", "error", "info", "debug", "trace"},
	"log-format": {"text", "json"},
	"format":     {"text", "json", "nft", "sysctl"},
}

func (g *globalFlags) register(f *pflag.FlagSet) {
	f.StringArrayVar(&g.policies, "policy", []string{defaultPolicies}, "policy `PATH`: a file, or a directory of *.hcl and *.hcl.json; may be repeated")
	f.StringArrayVar(&g.vars, "var", nil, "set a variable: `NAME=VALUE`; may be repeated")
	f.StringArrayVar(&g.varFiles, "var-file", nil, "read variables from `FILE`; may be repeated")
	f.BoolVar(&g.strict, "strict", false, "treat warnings of the policy as errors")
	f.StringVar(&g.netns, "netns", "", "work on the network namespace `NAME|PATH` instead of this one")
	f.StringVar(&g.stateDir, "state-dir", "/var/lib/tcpguard", "`DIR` that keeps what must survive a reboot")
	f.StringVar(&g.runDir, "run-dir", "/run/tcpguard", "`DIR` of the lock")
	f.StringVar(&g.sysctlRoot, "sysctl-root", "/proc/sys", "`DIR` that holds the kernel's settings, or a copy of it")
	choice(f, &g.output, "output", "how data is printed")
	choice(f, &g.color, "color", "when to use colours; NO_COLOR and TERM=dumb turn auto off")
	choice(f, &g.logLevel, "log-level", "what is logged to standard error")
	choice(f, &g.logFormat, "log-format", "how it is logged")
}

// word is a flag that takes one of a few words.
type word struct {
	value *string
	words []string
}

// choice registers a flag of choices.
func choice(f *pflag.FlagSet, p *string, name, usage string) {
	words := choices[name]
	*p = words[0]
	f.Var(&word{p, words}, name, usage)
}

// String gives the word in force; a nil word is what pflag makes to learn the zero value.
func (w *word) String() string {
	if w == nil || w.value == nil {
		return ""
	}
	return *w.value
}

// Type stands for the argument in help and manual.
func (w *word) Type() string { return strings.Join(w.words, "|") }

// Set takes a word that is among the choices.
func (w *word) Set(value string) error {
	if !slices.Contains(w.words, value) {
		return fmt.Errorf("want one of %s", strings.Join(w.words, ", "))
	}
	*w.value = value
	return nil
}

// finishFlags fills in from the environment what the command line left open.
func (a *app) finishFlags(cmd *cobra.Command) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if failed == nil && !f.Changed && f.Name != "help" {
			failed = a.fromEnvironment(f)
		}
	})
	a.parsed = failed == nil
	return failed
}

// environmentName gives TCPGUARD_LOCK_TIMEOUT for lock-timeout.
func environmentName(flag string) string {
	return "TCPGUARD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment sets one flag from its variable. Paths that may be repeated are parted by colons, as in PATH.
func (a *app) fromEnvironment(f *pflag.Flag) error {
	name := environmentName(f.Name)
	value, ok := a.getenv(name)
	if !ok || value == "" {
		return nil
	}
	values := []string{value}
	if f.Name == "policy" || f.Name == "var-file" {
		values = strings.Split(value, ":")
	}
	for _, v := range values {
		if err := f.Value.Set(v); err != nil {
			return usage("", "environment %s: %q: %v", name, v, err)
		}
	}
	return nil
}
