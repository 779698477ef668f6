// Faulted runs one apply or destroy in a network namespace, for tests that kill it at a fault point.
//
//	faulted apply|destroy NETNS STATE-DIR RUN-DIR POLICY
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(command, netns, stateDir, runDir, path string) error {
	if err := host.EnterNetNS(netns); err != nil {
		return err
	}
	r, err := reconcile.Open(reconcile.Options{StateDir: stateDir, RunDir: runDir, Namespace: netns, Version: "test"})
	if err != nil {
		return err
	}
	defer r.Close()
	if command == "destroy" {
		_, err = r.Destroy(context.Background(), reconcile.DestroyOptions{})
		return err
	}
	bundle, diags := policy.Load(policy.Options{Paths: []string{path}})
	if errs := diags.Errors(); len(errs) > 0 {
		return errs[0]
	}
	_, err = r.Apply(context.Background(), bundle, reconcile.ApplyOptions{})
	return err
}
