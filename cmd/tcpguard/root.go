package main

import (
	"github.com/spf13/cobra"
)

// rootCommand is the command table; help, completions and man pages are made from it.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tcpguard",
		Short: "hold a host to a declared TCP posture",
		Long: `tcpguard makes one Linux host hold a declared TCP posture: which services take how many connections from whom, how
fast, and which kernel settings carry the load. Policies are HCL files. "plan" shows what would change, "apply" makes it
so in one nftables transaction and reads it back, "destroy" leaves the host as it was found.`,
		Example: `  tcpguard validate --policy web.hcl
  tcpguard plan --policy web.hcl
  tcpguard apply --policy web.hcl`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage("run `tcpguard --help` for the list of commands", "no command given")
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.finishFlags(cmd) },
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetFlagErrorFunc(flagError)
	a.flags.register(root.PersistentFlags())
	root.AddCommand(
		a.validateCommand(), a.fmtCommand(), a.planCommand(), a.showCommand(), a.applyCommand(), a.destroyCommand(),
		a.statusCommand(), a.banCommand(), a.drillCommand(),
		a.versionCommand(), a.completionCommand(), a.manCommand(),
	)
	root.SetHelpCommand(helpCommand())
	completeChoices(root)
	return root
}

// helpCommand is cobra's, except that an unknown topic is a mistake.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "tell more about a command",
		Args:              cobra.MaximumNArgs(1),
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			if len(args) == 0 {
				return root.Help()
			}
			for _, c := range root.Commands() {
				if c.Name() == args[0] {
					c.InitDefaultHelpFlag()
					return c.Help()
				}
			}
			return unknownCommand(root, args[0])
		},
	}
}

// completeChoices lets shells complete the flags that take one of a few words.
func completeChoices(root *cobra.Command) {
	for _, cmd := range append(root.Commands(), root) {
		for name, words := range choices {
			if cmd.Flags().Lookup(name) == nil && cmd.PersistentFlags().Lookup(name) == nil {
				continue
			}
			// It fails only for a flag that is not there.
			_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		}
	}
}

// noArgs refuses arguments in our words.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("run `"+cmd.CommandPath()+" --help`", "%q takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
