package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/drill"
	"github.com/tcpguard/tcpguard/internal/drill/report"
	"github.com/tcpguard/tcpguard/internal/view"
)

// drillFlags are those of drill alone.
type drillFlags struct {
	scenarios []string
	duration  time.Duration
	rate      int
	report    string
	require   []string
}

func (a *app) drillCommand() *cobra.Command {
	var f drillFlags
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "attack the policy in a throwaway network and report what clients saw",
		Long: `Builds a throwaway network of namespaces, applies the policy there with the code of "apply", lets legitimate clients work
and attacks them, each scenario once without the policy and once with it. Nothing on this host changes and no packet
leaves it. It needs no root where unprivileged user namespaces are allowed; settings that belong to the whole machine
are then, as always in a namespace, left as they are.

Reported are the requests of legitimate clients that were served, their latency, what was dropped where, and legitimate
sources that were refused or banned. A requirement is METRIC OP VALUE, judged in every scenario with the policy; the
metrics are ` + report.Metrics() + `. The exit code is 2 when a requirement is not met.

The scenarios: ` + strings.Join(drill.Scenarios(), ", ") + `.`,
		Example: `  sudo tcpguard drill --policy web.hcl --report drill.html
  tcpguard drill --policy web.hcl --scenario hoarding --scenario churn --duration 10s
  tcpguard drill --policy web.hcl --require 'legit>=99' --require 'p99<=50ms' --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.drill(cmd.Context(), f) },
	}
	cmd.Flags().StringArrayVar(&f.scenarios, "scenario", nil, "run the scenario `NAME` only; may be repeated")
	cmd.Flags().DurationVar(&f.duration, "duration", 4*time.Second, "how long each scenario lasts on each side, such as `10s`; at least 1s")
	cmd.Flags().IntVar(&f.rate, "rate", 20000, "packets a second of a flood: `N` from 1 to 1000000")
	cmd.Flags().StringVar(&f.report, "report", "", "write a page with charts to `FILE.html`")
	cmd.Flags().StringArrayVar(&f.require, "require", nil, "what must hold with the policy, such as `'legit>=99'`; may be repeated")
	// It fails only for a flag that is not there.
	_ = cmd.RegisterFlagCompletionFunc("scenario", cobra.FixedCompletions(drill.Scenarios(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// options checks the flags.
func (f drillFlags) options() (drill.Options, error) {
	o := drill.Options{Scenarios: f.scenarios, Duration: f.duration, Rate: f.rate, Version: release}
	known := drill.Scenarios()
	for _, name := range f.scenarios {
		if !slices.Contains(known, name) {
			return o, usage("the scenarios are "+strings.Join(known, ", "), "unknown scenario %q", name)
		}
	}
	if f.duration < time.Second || f.duration > time.Hour {
		return o, usage("", "--duration %s: want 1s to 1h", f.duration)
	}
	if f.rate < 1 || f.rate > 1_000_000 {
		return o, usage("", "--rate %d: want 1 to 1000000 packets a second", f.rate)
	}
	for _, text := range f.require {
		r, err := report.ParseRequirement(text)
		if err != nil {
			return o, usage("", "--require: %v", err)
		}
		o.Required = append(o.Required, r)
	}
	return o, nil
}

func (a *app) drill(ctx context.Context, f drillFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	if a.flags.netns != "" {
		return usage("a drill makes its own namespaces; leave --netns out", "drill cannot work in another namespace")
	}
	again, err := drill.NeedsUserNamespace()
	if err != nil {
		return err
	}
	if again {
		// The other process says all there is to say.
		code, err := drill.InUserNamespace()
		if err == nil && code != exitDone {
			err = exitCode(code)
		}
		return err
	}
	if o.Bundle, err = a.load(); err != nil {
		return err
	}
	page, err := createReport(f.report)
	if err != nil {
		return err
	}
	p := a.progress()
	o.Progress = func(text string) { p.step("drilling: " + text) }
	doc, err := drill.Run(ctx, o)
	p.stop()
	if doc == nil {
		return errors.Join(err, page.discard())
	}
	if err := errors.Join(a.showDrill(doc), page.write(doc)); err != nil {
		return err
	}
	switch _, isJSON := a.view().(*view.JSON); {
	case doc.Interrupted && isJSON:
		return exitCode(exitInterrupted) // the document says so
	case err == nil && !doc.Met():
		return errPending
	}
	return err
}

// exitCode ends the program with a code of its own and no further word.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// showDrill prints the document in the form of --output.
func (a *app) showDrill(doc *report.Document) error {
	if _, ok := a.view().(*view.JSON); ok {
		return doc.WriteJSON(a.stdout)
	}
	return doc.WriteText(a.stdout)
}

// reportFile is where the page goes. It is made before the drill, so that two minutes are not spent for nothing.
type reportFile struct {
	file *os.File
	made bool // it was not there before
}

func createReport(path string) (*reportFile, error) {
	if path == "" {
		return &reportFile{}, nil
	}
	_, err := os.Stat(path)
	made := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	return &reportFile{file, made}, nil
}

// write replaces what was in the file.
func (r *reportFile) write(doc *report.Document) error {
	if r.file == nil {
		return nil
	}
	var page strings.Builder
	err := doc.WriteHTML(&page)
	if err == nil {
		err = r.file.Truncate(0)
	}
	if err == nil {
		_, err = io.WriteString(r.file, page.String())
	}
	if err = errors.Join(err, r.file.Close()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// discard leaves no empty file where there was none.
func (r *reportFile) discard() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	if r.made {
		err = errors.Join(err, os.Remove(r.file.Name()))
	}
	return err
}
