package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand writes the manual; packagers and `make man` call it.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "write the man pages into a directory",
		Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("", "man takes one directory, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for name, page := range manPages(cmd.Root()) {
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(page), 0o644); err != nil {
					return fmt.Errorf("write man page: %w", err)
				}
			}
			return nil
		},
	}
}

// manPages gives each page by its file name: one for tcpguard, one for each command that is shown.
func manPages(root *cobra.Command) map[string]string {
	pages := map[string]string{"tcpguard.1": mainPage(root)}
	for _, c := range shownCommands(root) {
		pages["tcpguard-"+c.Name()+".1"] = commandPage(c)
	}
	return pages
}

func shownCommands(root *cobra.Command) []*cobra.Command {
	var shown []*cobra.Command
	for _, c := range root.Commands() {
		if !c.Hidden && c.Name() != "help" {
			shown = append(shown, c)
		}
	}
	return shown
}

// roff collects a page in the man macros; see man(7).
type roff struct{ strings.Builder }

// escape keeps text from being read as requests: a backslash, and a dot or quote that begins a line.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func (r *roff) title(page string) {
	fmt.Fprintf(r, ".TH %s 1 \"\" \"tcpguard\" \"tcpguard manual\"\n", strings.ToUpper(escape(page)))
}

func (r *roff) section(name string) { fmt.Fprintf(r, ".SH %s\n", name) }

func (r *roff) text(text string) { fmt.Fprintf(r, "%s\n", escape(text)) }

// item is a term in bold, what stands behind it in italics, and what it means.
func (r *roff) item(term, argument, meaning string) {
	fmt.Fprintf(r, ".TP\n\\fB%s\\fR", escape(term))
	if argument != "" {
		fmt.Fprintf(r, " \\fI%s\\fR", escape(argument))
	}
	fmt.Fprintf(r, "\n%s\n", escape(meaning))
}

func (r *roff) example(text string) {
	fmt.Fprintf(r, ".nf\n%s\n.fi\n", escape(text))
}

// flags lists flags with their default and their environment variable.
func (r *roff) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		argument, meaning := pflag.UnquoteUsage(f)
		if f.Value.Type() == "bool" {
			argument = ""
		}
		if !noDefault(f) {
			meaning += "; default " + strings.Trim(f.DefValue, "[]")
		}
		r.item("--"+f.Name, argument, meaning+". Environment: "+environmentName(f.Name)+".")
	})
}

// noDefault says whether a flag's default is nothing to speak of.
func noDefault(f *pflag.Flag) bool {
	switch f.DefValue {
	case "", "[]", "false", "0s":
		return true
	}
	return false
}

func mainPage(root *cobra.Command) string {
	var r roff
	r.title("tcpguard")
	r.section("NAME")
	r.text("tcpguard - " + root.Short)
	r.section("SYNOPSIS")
	fmt.Fprintf(&r, ".B tcpguard\n.I COMMAND\n[flags]\n")
	r.section("DESCRIPTION")
	r.text(root.Long)
	r.section("COMMANDS")
	for _, c := range shownCommands(root) {
		r.item("tcpguard-"+c.Name()+"(1)", "", c.Short)
	}
	r.section("GLOBAL OPTIONS")
	r.flags(root.PersistentFlags())
	r.section("EXIT STATUS")
	for _, c := range exitCodes {
		r.item(fmt.Sprint(c.code), "", c.meaning)
	}
	r.section("ENVIRONMENT")
	r.item("TCPGUARD_FLAG", "", "sets any flag: its name in capitals, with _ for -. The command line wins. Paths of --policy and --var-file are parted by colons.")
	r.item("TCPGUARD_VAR_name", "", "sets the policy variable of that name.")
	r.item("NO_COLOR", "", "turns colours off when it is not empty.")
	r.section("FILES")
	r.item(defaultPolicies, "", "the policies, when --policy does not say otherwise.")
	r.item("/var/lib/tcpguard", "", "what was applied last, the original sysctls, the contents of lists.")
	r.item("/run/tcpguard", "", "the lock that lets one apply run at a time.")
	r.section("EXAMPLES")
	r.example(root.Example)
	return r.String()
}

func commandPage(c *cobra.Command) string {
	var r roff
	r.title("tcpguard-" + c.Name())
	r.section("NAME")
	r.text("tcpguard-" + c.Name() + " - " + c.Short)
	r.section("SYNOPSIS")
	fmt.Fprintf(&r, ".B tcpguard %s\n", escape(c.Name()))
	if _, arguments, ok := strings.Cut(c.Use, " "); ok {
		fmt.Fprintf(&r, "%s\n", escape(arguments))
	}
	fmt.Fprintf(&r, "[flags]\n")
	r.section("DESCRIPTION")
	if c.Long != "" {
		r.text(c.Long)
	} else {
		r.text(strings.ToUpper(c.Short[:1]) + c.Short[1:] + ".")
	}
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		r.section("OPTIONS")
		r.flags(c.LocalNonPersistentFlags())
	}
	for _, sub := range shownCommands(c) {
		r.subcommand(sub)
	}
	if c.Example != "" {
		r.section("EXAMPLES")
		r.example(c.Example)
	}
	r.section("SEE ALSO")
	r.text("tcpguard(1) for the global options, the exit status and the environment")
	return r.String()
}

// subcommand tells of a command below another one, on that one's page.
func (r *roff) subcommand(c *cobra.Command) {
	r.section(strings.ToUpper(escape(strings.TrimPrefix(c.CommandPath(), "tcpguard "))))
	fmt.Fprintf(r, ".B %s\n[flags]\n.PP\n", escape(c.CommandPath()+strings.TrimPrefix(c.Use, c.Name())))
	r.text(c.Long)
	r.flags(c.LocalNonPersistentFlags())
	fmt.Fprint(r, ".PP\n")
	r.example(c.Example)
}
