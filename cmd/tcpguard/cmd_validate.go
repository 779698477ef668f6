package main

import (
	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/view"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "check the policy without looking at the kernel",
		Long: `Reads the policy, its variables and its lists, and says what is wrong with them. It needs no privilege and no kernel
access. Warnings are shown and do not change the exit code, except with --strict.`,
		Example: `  tcpguard validate --policy /etc/tcpguard/policies
  tcpguard validate --policy web.hcl --strict --output json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.validate() },
	}
}

func (a *app) validate() error {
	if err := a.enterNamespace(); err != nil {
		return err
	}
	bundle, err := a.load()
	if err != nil {
		return err
	}
	if _, err := enforcer.Compile(bundle); err != nil {
		return err
	}
	v := view.Validation{Files: bundle.Files, Policies: len(bundle.Policies), Sysctls: len(bundle.Sysctls)}
	for _, l := range bundle.Lists {
		if !l.Anonymous {
			v.Lists++
		}
		if l.Addresses != nil {
			v.Addresses += l.Addresses.Len()
		}
	}
	return a.view().Valid(v)
}
