package reconcile

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

func listener(address string, port uint16, backlog uint32) host.Listener {
	return host.Listener{
		Address: netip.MustParseAddr(address), Port: port, Backlog: backlog, Process: host.Process{PID: 42, Command: "nginx"},
	}
}

func TestListenersThatSomaxconnDoesNotReach(t *testing.T) {
	tests := []struct {
		name     string
		listener host.Listener
		want     string // "" for no warning
	}{
		{"its own backlog is smaller", listener("0.0.0.0", 443, 511), "nginx (pid 42) on 0.0.0.0:443 has a backlog of 511"},
		{"IPv6", listener("::", 443, 511), "nginx (pid 42) on [::]:443"},
		{"as large", listener("0.0.0.0", 443, 4096), ""},
		{"a port that no policy guards", listener("0.0.0.0", 9000, 5), ""},
		{"loopback", listener("127.0.0.1", 443, 5), ""},
		{"process unknown", host.Listener{Address: netip.MustParseAddr("192.0.2.1"), Port: 443, Backlog: 5}, "the listener on 192.0.2.1:443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			h.machine.listeners = []host.Listener{tt.listener}
			plan := h.mustPlan(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
			switch {
			case tt.want == "" && len(plan.Warnings) > 0:
				t.Errorf("warned: %+v", plan.Warnings)
			case tt.want != "" && (len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0].Summary, tt.want)):
				t.Errorf("warnings %+v, want %q", plan.Warnings, tt.want)
			}
		})
	}
	t.Run("somaxconn is not declared", func(t *testing.T) {
		h := newFakeHost(t)
		h.machine.listeners = []host.Listener{listener("0.0.0.0", 443, 5)}
		if plan := h.mustPlan(t, webBundle(64)); len(plan.Warnings) > 0 {
			t.Errorf("warned: %+v", plan.Warnings)
		}
	})
}

func TestSysctlFilesThatDisagreeAreNamed(t *testing.T) {
	h := newFakeHost(t)
	h.machine.conflicts = []sysctl.Conflict{{
		Setting: sysctl.Setting{Key: "net.core.somaxconn", Want: []string{"4096"}, Bound: policy.Exact},
		Value:   []string{"512"}, File: "/etc/sysctl.d/99-local.conf", Line: 3,
	}}
	plan := h.mustPlan(t, withSysctl(webBundle(64), "net.core.somaxconn", "4096"))
	if len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0].Summary, "/etc/sysctl.d/99-local.conf:3 sets net.core.somaxconn to 512") {
		t.Errorf("warnings: %+v", plan.Warnings)
	}
}

func TestSysctlFilesCountOnlyWhereTheyDecide(t *testing.T) {
	tests := []struct {
		options Options
		want    string
	}{
		{Options{}, "/"},
		{Options{SysctlRoot: "/proc/sys"}, "/"},
		{Options{SysctlRoot: "/srv/image/proc/sys/"}, "/srv/image/"},
		{Options{SysctlRoot: "/tmp/copy"}, ""},
		{Options{Namespace: "blue"}, ""},
	}
	for _, tt := range tests {
		if got := newMachine(tt.options).dropins; got != tt.want {
			t.Errorf("%+v: sysctl.d below %q, want %q", tt.options, got, tt.want)
		}
	}
}
