package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/view"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

func (a *app) showCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "print what the policy becomes",
		Long: `Compiles the policy and prints the result without looking at the kernel's rules: as text, as JSON, as nft (what "nft -f"
loads, lists included) or as sysctl (what a file in sysctl.d says).`,
		Example: `  tcpguard show --policy web.hcl --format nft | nft -c -f -
  tcpguard show --policy web.hcl --format sysctl`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case format == "json":
				a.flags.output = "json"
			case a.flags.output == "json" && format == "text":
				format = "json"
			}
			return a.show(format)
		},
	}
	choice(cmd.Flags(), &format, "format", "what to print")
	return cmd
}

func (a *app) show(format string) error {
	if err := a.enterNamespace(); err != nil {
		return err
	}
	bundle, err := a.load()
	if err != nil {
		return err
	}
	ruleset, err := enforcer.Compile(bundle)
	if err != nil {
		return err
	}
	if format == "nft" {
		return ruleset.WriteText(a.stdout)
	}
	settings, notes := sysctl.Resolve(bundle, a.facts)
	var warnings policy.Diagnostics
	for _, n := range notes {
		warnings = append(warnings, policy.Diagnostic{Severity: policy.SeverityWarning, Summary: n.Text, Range: n.Range})
	}
	if err := a.view().Diagnostics(warnings); err != nil {
		return err
	}
	if err := a.judge(warnings); err != nil {
		return err
	}
	if format == "sysctl" {
		_, err := io.WriteString(a.stdout, sysctl.Text(settings))
		return err
	}
	return a.view().Compiled(view.Compiled{Resources: ruleset.Resources, Settings: settings, Lists: bundle.Lists})
}
