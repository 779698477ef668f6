package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/internal/drill/report"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// programVariable makes the test binary a program that drills, so that tests can run it as another user and kill it. It
// holds a policy file, a scenario and a duration.
const programVariable = "DRILL_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if job := os.Getenv(programVariable); job != "" {
		os.Exit(program(strings.Fields(job)))
	}
	os.Exit(m.Run())
}

// program drills as the command line does, and prints the document.
func program(job []string) int {
	again, err := NeedsUserNamespace()
	if err == nil && again {
		code, err := InUserNamespace()
		if err == nil {
			return code
		}
		fmt.Fprintln(os.Stderr, err)
		return 6
	}
	duration, err := time.ParseDuration(job[2])
	if err != nil {
		panic(err)
	}
	b, diags := policy.Load(policy.Options{Paths: job[:1], Version: "0.1.0", CheckSysctl: sysctl.Check})
	if len(diags.Errors()) > 0 {
		panic(diags)
	}
	doc, err := Run(context.Background(), Options{Bundle: b, Version: "0.1.0", Scenarios: job[1:2], Duration: duration, Rate: floodRate})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := doc.WriteJSON(os.Stdout); err != nil {
		panic(err)
	}
	return 0
}

const limits = `policy "web" {
	ports      = [80, 443]
	interfaces = ["%s"]
	connection_limit {
		max    = 20
		action = "reset"
	}
	rate_limit { rate = "60/1m" }
}`

// start runs the program as a user; wait gives what it printed.
func start(t *testing.T, uid uint32, iface, scenario, duration string) (cmd *exec.Cmd, wait func() (string, error)) {
	t.Helper()
	// A directory that every user can read, unlike that of the test binary.
	dir, err := os.MkdirTemp("", "drill-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"drill": binary, "web.hcl": fmt.Appendf(nil, limits, iface)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd = exec.Command(filepath.Join(dir, "drill"))
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), programVariable+"="+strings.Join([]string{filepath.Join(dir, "web.hcl"), scenario, duration}, " "))
	cmd.Stdout, cmd.Stderr = &out, &out
	if int(uid) != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() (string, error) { err := cmd.Wait(); return out.String(), err }
}

const nobody = 65534

// needUserNamespaces skips where the kernel does not let everybody make them.
func needUserNamespaces(t *testing.T) {
	t.Helper()
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		t.Skipf("needs user namespaces: %v", err)
	}
}

func TestRun(t *testing.T) {
	nettest.Need(t)
	t.Parallel()
	b := bundle(t, fmt.Sprintf(limits, "wan0"))
	var told []string
	doc, err := Run(t.Context(), Options{
		Bundle: b, Version: "0.1.0", Scenarios: []string{"one-source", "hoarding"}, Duration: time.Second, Rate: floodRate,
		Progress: func(text string) { told = append(told, text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 4 || told[3] != "2 of 2, hoarding, with the policy" {
		t.Errorf("told %q", told)
	}
	if len(doc.Scenarios) != 2 || len(doc.Setup.PolicyHash) != 64 || doc.Setup.Kernel == "" {
		t.Fatalf("setup %+v, %d scenarios", doc.Setup, len(doc.Scenarios))
	}
	checkFlood(t, doc.Scenarios[0])
	checkHoarding(t, doc.Scenarios[1])
}

// floodRate fills the SYN queues of both ports, 4096 entries each, within a second: then the kernel sends cookies.
const floodRate = 12000

func checkFlood(t *testing.T, s report.Scenario) {
	t.Helper()
	for name, side := range map[string]*report.Side{"without": s.Without, "with": s.With} {
		if got := side.Attack.PerSecond; side.Attack.Unit != "packets" || got < 0.8*floodRate || got > 1.02*floodRate {
			t.Errorf("%s: %.0f %s a second, want %d packets", name, got, side.Attack.Unit, floodRate)
		}
		for _, group := range []string{"visitors", "visitors-ipv6", "keep-alive", "nat", "innocent"} {
			if r := result(side, group); r.Requests == 0 {
				t.Errorf("%s: no requests by %s", name, group)
			}
		}
		if side.Judged.Success == nil || *side.Judged.Success < 95 {
			t.Errorf("%s: %+v served of a flood that limits by source hold", name, side.Judged)
		}
	}
	if n := count(s.With.Counters, "policy.web.rate_limit") + count(s.With.Counters, "policy.web.connection_limit"); n < floodRate*8/10 {
		t.Errorf("the policy's limits dropped %d of %d packets: %+v", n, s.With.Attack.Sent, s.With.Counters)
	}
	if count(s.Without.Kernel, "TcpExt.SyncookiesSent") == 0 {
		t.Errorf("without the policy the flood reached no listener: %+v", s.Without.Kernel)
	}
	if s.With.Conntrack.Peak == 0 || len(s.Without.Counters) != 0 {
		t.Errorf("conntrack %+v with, counters %+v without the policy", s.With.Conntrack, s.Without.Counters)
	}
}

func checkHoarding(t *testing.T, s report.Scenario) {
	t.Helper()
	if n := s.With.Attack.Established; n < 20 || n > 62 {
		t.Errorf("the hoarder got %d connections past a limit of 20, of which a reset may free some", n)
	}
	if n := s.With.Attack.Taken; n < 1 || n > 20 {
		t.Errorf("the hoarder held %d places past a limit of 20", n)
	}
	if n := s.Without.Attack.Taken; n < 400 || n > 512 {
		t.Errorf("without the policy the hoarder held %d of 512 places", n)
	}
	without, with := result(s.Without, "visitors"), result(s.With, "visitors")
	if *without.Success > 90 || *with.Success < 95 {
		t.Errorf("visitors: %.1f %% served without, %.1f %% with the policy", *without.Success, *with.Success)
	}
	if s.Without.FalsePositives.NotServed == 0 || s.With.FalsePositives.NotServed > s.With.FalsePositives.Sources/20 {
		t.Errorf("hurt: %+v without, %+v with", s.Without.FalsePositives, s.With.FalsePositives)
	}
}

func result(s *report.Side, group string) report.Result {
	for _, g := range s.Groups {
		if g.Name == group {
			return g.Result
		}
	}
	return report.Result{}
}

func count(counts []report.Count, name string) uint64 {
	for _, c := range counts {
		if c.Name == name {
			return c.Value
		}
	}
	return 0
}

// TestRunBehindARouter drills a policy for what the host forwards.
func TestRunBehindARouter(t *testing.T) {
	nettest.Need(t)
	t.Parallel()
	b := bundle(t, `policy "plc" {
		path      = "forward"
		ports     = [502]
		addresses = ["203.0.113.0/28", "2001:db8:502::/64"]
		connection_limit { max = 20 }
	}`)
	doc, err := Run(t.Context(), Options{Bundle: b, Scenarios: []string{"hoarding"}, Duration: time.Second, Rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	with := doc.Scenarios[0].With
	if n := with.Attack.Taken; n != 20 {
		t.Errorf("the hoarder held %d places past a limit of 20", n)
	}
	for _, group := range []string{"visitors", "visitors-ipv6"} {
		if r := result(with, group); r.Success == nil || *r.Success < 95 {
			t.Errorf("%s: %+v", group, r)
		}
	}
}

// TestBannedInnocent drills a policy that bans without proof: whoever is spoofed is banned, and the drill must say so.
func TestBannedInnocent(t *testing.T) {
	nettest.Need(t)
	t.Parallel()
	b := bundle(t, `policy "web" {
		ports = [80]
		rate_limit { rate = "60/1m" }
		ban {
			after = "10/1m"
			for   = "10m"
			proof = "none"
		}
	}`)
	doc, err := Run(t.Context(), Options{Bundle: b, Scenarios: []string{"spoofed-innocent"}, Duration: 2 * time.Second, Rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	s := doc.Scenarios[0]
	if got, want := s.With.FalsePositives.Banned, []string{"198.18.0.1"}; !slices.Equal(got, want) {
		t.Errorf("banned %q, want %q", got, want)
	}
	if *s.Without.Judged.Success < 99 || *s.With.Judged.Success > 60 {
		t.Errorf("the innocent: %.0f %% served without, %.0f %% with the policy", *s.Without.Judged.Success, *s.With.Judged.Success)
	}
	if v := doc.Verdict(); v.Grade != report.Bad || !strings.Contains(v.Detail, "banned by mistake: 1") {
		t.Errorf("verdict %+v", v)
	}
}

func TestRunWithoutRoot(t *testing.T) {
	needUserNamespaces(t)
	t.Parallel()
	uid := uint32(os.Geteuid())
	if uid == 0 {
		uid = nobody
	}
	_, wait := start(t, uid, "wan0", "one-source", "1s")
	out, err := wait()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var doc report.Document
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !doc.Setup.UserNamespace {
		t.Error("the document does not say that it was without root")
	}
	checkFlood(t, doc.Scenarios[0])
}

// TestKilled ends drills by SIGKILL and looks for what is left of them.
func TestKilled(t *testing.T) {
	nettest.Need(t)
	for name, uid := range map[string]uint32{"as root": 0, "in a user namespace": nobody} {
		t.Run(name, func(t *testing.T) {
			if uid != 0 {
				needUserNamespaces(t)
			}
			iface := fmt.Sprintf("k%d-%d", os.Getpid(), uid)
			before := leftovers(t)
			cmd, wait := start(t, uid, iface, "hoarding", "60s")
			nettest.Await(t, 20*time.Second, "a namespace with "+iface, func() bool { return inAnyNamespace(t, iface) })
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if out, err := wait(); err == nil {
				t.Fatalf("ended before it was killed:\n%s", out)
			}
			nettest.Await(t, 10*time.Second, "no namespace with "+iface, func() bool { return !inAnyNamespace(t, iface) })
			if after := leftovers(t); after != before {
				t.Errorf("left:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// TestInterrupted stops a drill in the middle: what was found until then is told.
func TestInterrupted(t *testing.T) {
	nettest.Need(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := time.Now()
	doc, err := Run(ctx, Options{
		Bundle: bundle(t, fmt.Sprintf(limits, "wan0")), Scenarios: []string{"calm", "hoarding"}, Duration: time.Second, Rate: 1000,
		Progress: func(text string) {
			if strings.HasPrefix(text, "2 of 2") {
				stop()
			}
		},
	})
	if err != context.Canceled || doc == nil || !doc.Interrupted || len(doc.Scenarios) != 1 {
		t.Fatalf("error %v, document %+v", err, doc)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v to stop", took)
	}
}

// leftovers lists what a drill could leave outside of its namespaces: names of namespaces, mounts, temporary files.
func leftovers(t *testing.T) string {
	t.Helper()
	var found []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "tcpguard-drill") {
			found = append(found, line)
		}
	}
	for _, pattern := range []string{os.TempDir() + "/state", os.TempDir() + "/run", os.TempDir() + "/tcpguard*", "/run/tcpguard/*drill*", "/var/lib/tcpguard/*drill*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, files...)
	}
	return strings.Join(found, "\n")
}

// inAnyNamespace looks for an interface in the network namespace of every thread of this machine.
func inAnyNamespace(t *testing.T, iface string) (found bool) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		for _, file := range files {
			id, err := os.Readlink(file)
			if err != nil || seen[id] {
				continue
			}
			seen[id] = true
			f, err := os.Open(file)
			if err != nil {
				continue // the thread has ended
			}
			if unix.Setns(int(f.Fd()), unix.CLONE_NEWNET) == nil {
				_, err := netlink.LinkByName(iface)
				found = found || err == nil
			}
			f.Close()
		}
	}()
	<-done
	return found
}
