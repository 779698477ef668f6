package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// load reads and checks the policy, shows what there is to say of it, and fails when that forbids using it.
func (a *app) load() (*policy.Bundle, error) {
	bundle, diags, err := a.read()
	if err != nil {
		return nil, err
	}
	if err := a.view().Diagnostics(diags); err != nil {
		return nil, err
	}
	return bundle, a.judge(diags)
}

// read reads and checks the policy; what there is to say of it is left to the caller.
func (a *app) read() (*policy.Bundle, policy.Diagnostics, error) {
	vars, err := splitVars(a.flags.vars)
	if err != nil {
		return nil, nil, err
	}
	if err := a.checkDefaultPolicies(); err != nil {
		return nil, nil, err
	}
	if a.facts, err = host.Proc.Facts(); err != nil {
		return nil, nil, err
	}
	bundle, diags := policy.Load(policy.Options{
		Paths: a.flags.policies, Vars: vars, VarFiles: a.flags.varFiles, Env: a.environ(), Facts: a.facts, Version: release,
		CheckSysctl: sysctl.Check,
	})
	a.logger().WithField("event", "policy_loaded").WithField("files", len(bundle.Files)).WithField("diagnostics", len(diags)).
		Debug("read the policy")
	return bundle, diags, nil
}

// judge says whether diagnostics forbid using the policy.
func (a *app) judge(diags policy.Diagnostics) error {
	mistakes, warnings := len(diags.Errors()), len(diags.Warnings())
	switch {
	case mistakes > 0:
		return &problem{code: exitInvalid, err: fmt.Errorf("the policy has %s", counted(mistakes, "error"))}
	case warnings > 0 && a.flags.strict:
		return &problem{
			code: exitInvalid, err: fmt.Errorf("the policy has %s, and --strict takes warnings for errors", counted(warnings, "warning")),
		}
	}
	return nil
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// checkDefaultPolicies tells somebody who has no policies yet what to do, instead of which file is missing.
func (a *app) checkDefaultPolicies() error {
	if len(a.flags.policies) != 1 || a.flags.policies[0] != defaultPolicies {
		return nil
	}
	if _, err := os.Stat(defaultPolicies); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &problem{
		code: exitInvalid, err: fmt.Errorf("there is no policy: the default directory %s does not exist", defaultPolicies),
		hint: "name a file or directory with --policy, or put *.hcl files into " + defaultPolicies,
	}
}

// open gives the reconciler of the namespace that the process is in. Close it.
func (a *app) open() (*reconcile.Reconciler, error) {
	return reconcile.Open(reconcile.Options{
		StateDir: a.flags.stateDir, RunDir: a.flags.runDir, Namespace: a.flags.netns, SysctlRoot: a.flags.sysctlRoot, Version: release,
	})
}

// prepare enters the namespace, loads the policy and opens the reconciler, in this order, because facts and the socket
// are those of the namespace.
func (a *app) prepare() (*policy.Bundle, *reconcile.Reconciler, error) {
	if err := a.enterNamespace(); err != nil {
		return nil, nil, err
	}
	bundle, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	r, err := a.open()
	return bundle, r, err
}

// planned makes a plan and shows how far it has got while that takes.
func (a *app) planned(ctx context.Context, plan func(context.Context) (*reconcile.Plan, error)) (*reconcile.Plan, error) {
	p := a.progress()
	defer p.stop()
	p.step("read")
	return plan(ctx)
}

// progress tells on standard error how far a command has got.
func (a *app) progress() *progress {
	terminal := isTerminal(a.stderr) && a.flags.output == "text"
	return startProgress(a.stderr, terminal, quietFor)
}
