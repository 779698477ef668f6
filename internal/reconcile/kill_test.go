package reconcile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpguard/tcpguard/internal/fault"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// The policies of these tests: what is in force, what comes next, and one that the kernel refuses at its last sysctl.
const (
	policyOld = `
list "blocklist" { addresses = ["192.0.2.1", "192.0.2.2", "198.51.100.0/24", "2001:db8::/48"] }
policy "web" {
  ports = [443]
  deny  = [list.blocklist]
  connection_limit { max = 64 }
}
sysctl "net.ipv4.tcp_fin_timeout" { value = 33 }
`
	policyNew = `
list "blocklist" { addresses = ["192.0.2.1", "192.0.2.3", "203.0.113.0/24", "2001:db8::/48"] }
policy "web" {
  ports = [443, 8443]
  deny  = [list.blocklist]
  connection_limit { max = 100 }
}
policy "ssh" {
  ports = [22]
  rate_limit { rate = "10/60s" }
}
sysctl "net.ipv4.tcp_fin_timeout" { value = 22 }
sysctl "net.ipv4.tcp_keepalive_time" { value = 777 }
`
	policyBad = policyNew + `
sysctl "net.ipv4.tcp_synack_retries" { value = 300 }
`
)

// managed are the sysctls that these policies write.
func managed() []string {
	return []string{"net/ipv4/tcp_fin_timeout", "net/ipv4/tcp_keepalive_time", "net/ipv4/tcp_synack_retries"}
}

// TestKilledAnywhere kills an apply, a rollback or a destroy at every fault point, and shows that the next apply
// brings the declared state and the next destroy the original one.
func TestKilledAnywhere(t *testing.T) {
	nettest.Need(t)
	program := buildFaulted(t)
	declared := reference(t, program)
	for _, point := range fault.Points() {
		command, file := scenario(point)
		for _, start := range []string{"fresh", "applied"} {
			if start == "fresh" && command == "destroy" {
				continue // nothing to destroy
			}
			for _, end := range []string{"apply", "destroy"} {
				t.Run(string(point)+"/"+start+"/"+end, func(t *testing.T) {
					h := newRealHost(t, program)
					original := h.state(t)
					if start == "applied" {
						h.run(t, "", "apply", "old.hcl")
					}
					h.run(t, point, command, file)
					h.recover(t, end, declared, original)
				})
			}
		}
	}
}

// scenario is the run that passes a fault point.
func scenario(p fault.Name) (command, file string) {
	switch p {
	case fault.AfterUndoSysctls, fault.AfterUndoCommit:
		return "apply", "bad.hcl"
	case fault.AfterDestroyTable, fault.AfterDestroySysctl:
		return "destroy", "old.hcl"
	default:
		return "apply", "new.hcl"
	}
}

// state is what a host holds: the table's digest, all lines that nft lists, whatever the order of the objects, and the
// sysctls.
type state struct{ digest, listing, sysctls string }

func (h *realHost) state(t *testing.T) state {
	t.Helper()
	lines := strings.Split(nettest.NftList(t, h.ns), "\n")
	slices.Sort(lines)
	s := state{listing: strings.TrimSpace(strings.Join(lines, "\n")), sysctls: h.sysctls(t)}
	h.ns.Do(t, func() {
		rules, _, err := h.open(t).kernel.Read()
		if err != nil {
			t.Fatal(err)
		}
		s.digest = stateHash(rules, nil)
	})
	return s
}

// reference is the state after an undisturbed apply of the new policy.
func reference(t *testing.T, program string) state {
	h := newRealHost(t, program)
	h.run(t, "", "apply", "new.hcl")
	s := h.state(t)
	if !strings.Contains(s.listing, "policy.ssh") || !strings.Contains(s.sysctls, "777") {
		t.Fatalf("an undisturbed apply did not bring the policy: %+v", s)
	}
	return s
}

// realHost is a network namespace with directories of its own.
type realHost struct {
	ns      *nettest.NS
	program string
	dir     string
}

func newRealHost(t *testing.T, program string) *realHost {
	t.Helper()
	h := &realHost{ns: nettest.New(t), program: program, dir: t.TempDir()}
	for name, text := range map[string]string{"old.hcl": policyOld, "new.hcl": policyNew, "bad.hcl": policyBad} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *realHost) options() Options {
	return Options{
		StateDir: filepath.Join(h.dir, "state"), RunDir: filepath.Join(h.dir, "run"), Namespace: h.ns.Name(), Version: "test",
	}
}

// run starts the program; with a fault point it must die there, without one it must succeed.
func (h *realHost) run(t *testing.T, point fault.Name, command, file string) {
	t.Helper()
	o := h.options()
	cmd := exec.Command(h.program, command, h.ns.Name(), o.StateDir, o.RunDir, filepath.Join(h.dir, file))
	cmd.Env = append(os.Environ(), "TCPGUARD_FAULT="+string(point))
	out, err := cmd.CombinedOutput()
	if point == "" {
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", command, file, err, out)
		}
		return
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s %s was not killed at %s: %v\n%s", command, file, point, err, out)
	}
}

// open gives a Reconciler for use inside the namespace.
func (h *realHost) open(t *testing.T) *Reconciler {
	t.Helper()
	r, err := Open(h.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// recover runs what comes after the kill and compares the host with what it should hold.
func (h *realHost) recover(t *testing.T, end string, declared, original state) {
	t.Helper()
	h.ns.Do(t, func() {
		r := h.open(t)
		if end == "apply" {
			bundle := loadPolicy(t, filepath.Join(h.dir, "new.hcl"))
			if _, err := r.Apply(context.Background(), bundle, ApplyOptions{}); err != nil {
				t.Fatalf("the next apply: %v", err)
			}
			plan, err := r.Plan(context.Background(), bundle)
			if err != nil || !plan.Empty() || len(plan.Notes) > 0 {
				t.Errorf("after the next apply: %v %s %v", err, tell(plan), plan.Notes)
			}
			return
		}
		if _, err := r.Destroy(context.Background(), DestroyOptions{}); err != nil {
			t.Fatalf("the next destroy: %v", err)
		}
	})
	want := declared
	if end == "destroy" {
		want = original
	}
	if got := h.state(t); got != want {
		t.Errorf("the host holds\n%+v\nwant\n%+v", got, want)
	}
	h.checkFiles(t, end)
}

// checkFiles shows that nothing temporary stays, and after a destroy nothing at all.
func (h *realHost) checkFiles(t *testing.T, end string) {
	t.Helper()
	var found []string
	top := h.options().StateDir
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if rel, _ := filepath.Rel(filepath.Join(top, NamespaceDir(h.ns.Name())), path); !strings.HasPrefix(rel, contentsDir) {
			found = append(found, rel)
		}
		return nil
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var want []string
	if end == "apply" {
		want = []string{appliedFile, "originals.json"}
	}
	if !slices.Equal(found, want) {
		t.Errorf("the state directory holds %v, want %v", found, want)
	}
}

func (h *realHost) sysctls(t *testing.T) string {
	t.Helper()
	var lines []string
	for _, key := range managed() {
		lines = append(lines, key+" "+h.ns.Sysctl(t, key))
	}
	return strings.Join(lines, "\n")
}

func loadPolicy(t *testing.T, path string) *policy.Bundle {
	t.Helper()
	bundle, diags := policy.Load(policy.Options{Paths: []string{path}})
	for _, d := range diags.Errors() {
		t.Fatal(d)
	}
	return bundle
}

// buildFaulted compiles the program that dies at fault points.
func buildFaulted(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "faulted")
	cmd := exec.Command("go", "build", "-tags", "faultpoints", "-o", out, "./testdata/faulted")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	return out
}
