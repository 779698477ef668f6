package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usage is an error about the command line itself.
func usage(hint, format string, args ...any) error {
	return &problem{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// unknownCommand names the nearest command.
func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	hint := suggestion(name, names)
	if hint == "" {
		hint = "run `tcpguard --help` for the list of commands"
	}
	return usage(hint, "unknown command %q", name)
}

// flagError puts pflag's words into ours and names the nearest flag.
func flagError(cmd *cobra.Command, err error) error {
	const unknown = "unknown flag: "
	text := err.Error()
	if !strings.HasPrefix(text, unknown) {
		return usage("run `"+cmd.CommandPath()+" --help` for its flags", "%s", text)
	}
	name := strings.TrimPrefix(text, unknown)
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	hint := suggestion(name, names)
	for _, c := range cmd.Root().Commands() {
		if "--"+c.Name() == name {
			hint = fmt.Sprintf("did you mean the command %q?", "tcpguard "+c.Name())
		}
	}
	if hint == "" {
		hint = "run `" + cmd.CommandPath() + " --help` for its flags"
	}
	return usage(hint, "unknown flag %s for %q", name, cmd.CommandPath())
}

// suggestion asks whether the nearest of the names was meant, or is empty when none is near.
func suggestion(word string, names []string) string {
	nearest, distance := "", len(word)/3+2
	for _, n := range names {
		if d := editDistance(word, n); d < distance {
			nearest, distance = n, d
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", nearest)
}

// editDistance is the Levenshtein distance in bytes, kept in one row.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
