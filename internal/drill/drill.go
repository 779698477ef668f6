// Package drill attacks a policy before anybody else does: it builds a throwaway network of namespaces, applies the
// policy there with the code that apply uses, lets legitimate clients work and attackers attack, and reports what became
// of the clients with the policy and without it.
//
// Nothing outlives the process: the namespaces have no names, only threads and sockets of this process hold them.
package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tcpguard/tcpguard/internal/drill/report"
	"github.com/tcpguard/tcpguard/internal/drill/traffic"
	"github.com/tcpguard/tcpguard/policy"
)

// Options says what to drill.
type Options struct {
	Bundle    *policy.Bundle
	Version   string        // of tcpguard
	Scenarios []string      // names; empty: all
	Duration  time.Duration // of each scenario and side, at least 1 s
	Rate      int           // packets a second of a flood, at least 1
	Required  []report.Requirement
	// Progress, when set, is told what is being done. It must not block.
	Progress func(text string)
}

// drill is a drill under way.
type drill struct {
	options Options
	layout  layout
	world   world
}

// Run drills. When the context is done before the end, the document tells what was found until then, and the error is
// the context's; in every other error the document is nil.
//
// Errors: *reconcile.ErrPermission where namespaces cannot be made, and those of reconcile's Apply.
func Run(ctx context.Context, o Options) (*report.Document, error) {
	chosen, err := choose(o.Scenarios)
	if err != nil {
		return nil, err
	}
	d := &drill{options: o, world: worldOf(o.Bundle)}
	if d.layout, err = plan(o.Bundle); err != nil {
		return nil, err
	}
	if err := enoughFiles(); err != nil {
		return nil, err
	}
	began := time.Now()
	doc := report.New(began)
	if err := d.describe(doc); err != nil {
		return nil, err
	}
	for i, s := range chosen {
		found, err := d.scenario(ctx, doc, s, fmt.Sprintf("%d of %d, %s", i+1, len(chosen), s.name))
		if err != nil && ctx.Err() != nil {
			doc.Interrupted = true
			break
		}
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", s.name, err)
		}
		doc.Scenarios = append(doc.Scenarios, found)
	}
	for _, r := range o.Required {
		doc.Requirements = append(doc.Requirements, r.Judge(doc.Scenarios))
	}
	doc.Seconds = time.Since(began).Seconds()
	if doc.Interrupted {
		return doc, ctx.Err()
	}
	return doc, nil
}

// scenario runs both sides. The side without the policy comes first: it leaves nothing behind that the other could feel.
func (d *drill) scenario(ctx context.Context, doc *report.Document, s scenario, place string) (found report.Scenario, err error) {
	found = report.Scenario{Name: s.name, Title: s.title, What: s.what, Judged: s.judged}
	d.progress(place + ", without the policy")
	if found.Without, _, err = d.side(ctx, s, false); errors.Is(err, errNoTarget) {
		found.Skipped = err.Error()
		return found, nil
	} else if err != nil {
		return found, err
	}
	d.progress(place + ", with the policy")
	with, applied, err := d.side(ctx, s, true)
	if err != nil {
		return found, err
	}
	found.With = with
	if p := applied.Plan; p != nil {
		doc.Setup.PolicyHash = p.PolicyHash
		for _, note := range p.Notes {
			if !slices.Contains(doc.Notes, note) {
				doc.Notes = append(doc.Notes, note)
			}
		}
	}
	return found, nil
}

func (d *drill) progress(text string) {
	if d.options.Progress != nil {
		d.options.Progress(text)
	}
}

// describe fills in the setup.
func (d *drill) describe(doc *report.Document) error {
	crowd := crowdOf(d.options.Bundle, d.layout, d.world, d.options.Duration, patience)
	if len(crowd.sources()) == 0 {
		return errors.New("no legitimate client could reach a service: the policies let nobody in whom no list treats apart")
	}
	doc.Notes = append(doc.Notes, d.layout.notes...)
	doc.Notes = append(doc.Notes, crowd.notes...)
	model := traffic.DefaultModel()
	machine, err := machine()
	if err != nil {
		return err
	}
	machine.Tcpguard, machine.PolicyFiles = d.options.Version, append([]string{}, d.options.Bundle.Files...)
	machine.Clients, machine.Services = crowd.describe(), []report.Service{}
	machine.Seconds, machine.FloodRate, machine.Timeout = d.options.Duration.Seconds(), d.options.Rate, patience.Seconds()
	machine.ServerPlaces, machine.ServerPerSec = model.Places, model.PerSec
	for _, s := range d.layout.services {
		at := []string{}
		for _, a := range append(s.at(false), s.at(true)...) {
			at = append(at, a.String())
		}
		machine.Services = append(machine.Services, report.Service{
			Policy: "policy." + s.policy.Name, Path: string(s.policy.Path), Mode: string(s.policy.Mode), At: at,
		})
	}
	doc.Setup = machine
	return nil
}
