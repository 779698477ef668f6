package reconcile

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// Observer tells facts about the host that a plan depends on or warns of.
type Observer interface {
	// Facts are what derived settings are computed from.
	Facts() (policy.Facts, error)
	// Epoch names the boot and the network namespace; what was recorded under another one is void.
	Epoch() (string, error)
	// Listeners are the TCP listeners of the network namespace.
	Listeners(ctx context.Context) ([]host.Listener, error)
	// Conflicts are the lines of sysctl.d that fight with settings; it may give some together with an error.
	Conflicts(settings []sysctl.Setting) ([]sysctl.Conflict, error)
}

const keySomaxconn = "net.core.somaxconn"

// warn adds what is wrong around the declaration. What cannot be found out is a note: it is no reason not to plan.
func (r *Reconciler) warn(ctx context.Context, plan *Plan) {
	w := plan.work
	for _, n := range w.tuning.warnings {
		plan.Warnings = append(plan.Warnings, Warning{Address: n.Address, Summary: n.Text, Range: n.Range})
	}
	conflicts, err := r.observer.Conflicts(w.tuning.settings)
	if err != nil {
		plan.Notes = append(plan.Notes, "sysctl.d was not read entirely: "+err.Error())
	}
	for _, c := range conflicts {
		plan.Warnings = append(plan.Warnings, Warning{
			Address: sysctlKeyAddress(c.Setting.Key), Range: c.Setting.Range,
			Summary: fmt.Sprintf("%s:%d sets %s to %s", c.File, c.Line, c.Setting.Key, sysctl.Join(c.Value)),
			Detail:  "At the next boot both will write it. Remove that line, or declare the same value.",
		})
	}
	for _, s := range w.tuning.settings {
		if s.Key == keySomaxconn {
			r.warnBacklogs(ctx, plan, s)
		}
	}
}

// warnBacklogs names listeners that a larger somaxconn does not reach: it is only a ceiling, read at listen(2).
func (r *Reconciler) warnBacklogs(ctx context.Context, plan *Plan, s sysctl.Setting) {
	limit := backlogAfter(plan.work.tuning)
	if limit == 0 {
		return
	}
	listeners, err := r.observer.Listeners(ctx)
	if err != nil {
		plan.Notes = append(plan.Notes, "listeners were not looked at: "+err.Error())
		return
	}
	for _, l := range listeners {
		if l.Address.IsLoopback() || uint64(l.Backlog) >= limit || !covered(plan.work.goal.bundle, l.Port) {
			continue
		}
		plan.Warnings = append(plan.Warnings, Warning{
			Address: sysctlKeyAddress(s.Key), Range: s.Range,
			Summary: fmt.Sprintf("%s has a backlog of %d, below %s = %d", listenerText(l), l.Backlog, s.Key, limit),
			Detail:  "The kernel takes the smaller of both at listen(2): raise the program's own backlog, then restart it.",
		})
	}
}

// backlogAfter is the somaxconn that is in force once the plan is applied; 0 when that is not known.
func backlogAfter(t *tuning) uint64 {
	var text string
	for _, s := range t.states {
		if s.Key == keySomaxconn && len(s.Value) == 1 {
			text = s.Value[0]
		}
	}
	for _, s := range t.steps {
		if s.Key == keySomaxconn && len(s.After) == 1 {
			text = s.After[0]
		}
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return n
}

// covered says whether a policy guards a local port; without policies every port counts.
func covered(b *policy.Bundle, port uint16) bool {
	for i := range b.Policies {
		p := &b.Policies[i]
		if p.Path == policy.PathForward || p.Protocol == policy.UDP {
			continue
		}
		for _, r := range p.Ports {
			if r.First <= port && port <= r.Last {
				return true
			}
		}
	}
	return len(b.Policies) == 0
}

func listenerText(l host.Listener) string {
	place := net.JoinHostPort(l.Address.String(), strconv.Itoa(int(l.Port)))
	if l.Process.PID == 0 {
		return "the listener on " + place
	}
	return fmt.Sprintf("%s (pid %d) on %s", l.Process.Command, l.Process.PID, place)
}

// machine is the Observer of the host the process runs on, in the calling thread's network namespace.
type machine struct {
	proc host.Root
	// dropins is the root below which sysctl.d is read; "" where it has no say, as in another network namespace.
	dropins string
}

// newMachine looks at sysctl.d only where it decides: on the host itself, or in a copy of a whole tree.
func newMachine(o Options) machine {
	m := machine{proc: host.Proc}
	root := o.SysctlRoot
	if root == "" {
		root = sysctl.DefaultRoot
	}
	if top, ok := strings.CutSuffix(strings.TrimSuffix(root, "/"), "/proc/sys"); ok && o.Namespace == "" {
		m.dropins = top + "/"
	}
	return m
}

func (m machine) Facts() (policy.Facts, error) { return m.proc.Facts() }

func (m machine) Epoch() (string, error) { return m.proc.Namespace() }

func (m machine) Listeners(ctx context.Context) ([]host.Listener, error) {
	return m.proc.Listeners(ctx)
}

func (m machine) Conflicts(settings []sysctl.Setting) ([]sysctl.Conflict, error) {
	if m.dropins == "" || len(settings) == 0 {
		return nil, nil
	}
	return sysctl.Conflicts(settings, m.dropins)
}
