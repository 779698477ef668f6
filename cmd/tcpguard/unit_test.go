package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const unit = "../../systemd/tcpguard-apply.service"

// TestUnitSaysWhatItPromises holds the directives that the unit exists for.
func TestUnitSaysWhatItPromises(t *testing.T) {
	content, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, want := range []string{
		"Type=oneshot", "RemainAfterExit=yes", "Before=network-pre.target shutdown.target", "Wants=network-pre.target",
		"CapabilityBoundingSet=CAP_NET_ADMIN CAP_DAC_OVERRIDE", "NoNewPrivileges=yes", "ProtectSystem=strict",
		"RestrictAddressFamilies=AF_UNIX AF_NETLINK", "MemoryDenyWriteExecute=yes", "StateDirectory=tcpguard",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("the unit lacks the line %q", want)
		}
	}
	// Stopping the unit must not take the limits away, so nothing may run then.
	if strings.Contains(text, "\nExecStop") {
		t.Error("the unit does something when it is stopped")
	}
}

// TestUnitCallsACommandThatIs parses the unit's command line with the program's own flags.
func TestUnitCallsACommandThatIs(t *testing.T) {
	content, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/tcpguard (.*)$`).FindStringSubmatch(string(content))
	if m == nil {
		t.Fatal("the unit does not start /usr/local/bin/tcpguard")
	}
	root := (&app{}).rootCommand()
	cmd, args, err := root.Find(strings.Fields(m[1]))
	if err != nil || cmd.Name() != "apply" {
		t.Fatalf("the unit runs %q (%v)", m[1], err)
	}
	if err := cmd.ParseFlags(args); err != nil {
		t.Error(err)
	}
}

// TestUnitIsOneThatSystemdTakes asks systemd itself.
func TestUnitIsOneThatSystemdTakes(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("needs systemd-analyze, of the package systemd")
	}
	content, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	// systemd wants the program to exist, and looks up manual pages that are not installed here.
	text := strings.ReplaceAll(string(content), "/usr/local/bin/tcpguard", "/bin/true")
	text = regexp.MustCompile(`(?m)^Documentation=.*\n`).ReplaceAllString(text, "")
	copied := filepath.Join(t.TempDir(), filepath.Base(unit))
	if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", copied).CombinedOutput()
	if err != nil || strings.Contains(string(out), filepath.Base(unit)) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
