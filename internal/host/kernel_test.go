package host_test

import (
	"os"
	"testing"

	"github.com/tcpguard/tcpguard/internal/host"
	"golang.org/x/sys/unix"
)

func TestReleasesAreReadAndCompared(t *testing.T) {
	tests := []struct {
		full                string
		major, minor, patch int
	}{
		{"6.1.0-13-amd64", 6, 1, 0},
		{"5.14.0-427.el9.x86_64", 5, 14, 0},
		{"6.18.44", 6, 18, 44},
		{"6.18-rc3", 6, 18, 0},
		{"4.4.0+", 4, 4, 0},
		{"6.12.y", 6, 12, 0},
	}
	for _, test := range tests {
		t.Run(test.full, func(t *testing.T) {
			r, err := host.ParseRelease(test.full)
			if err != nil || r.Major != test.major || r.Minor != test.minor || r.Patch != test.patch || r.String() != test.full {
				t.Errorf("ParseRelease = %+v, %v", r, err)
			}
			if !r.AtLeast(test.major, test.minor) || !r.AtLeast(test.major-1, 99) {
				t.Errorf("%s is not at least itself or what came before", r)
			}
			if r.AtLeast(test.major, test.minor+1) || r.AtLeast(test.major+1, 0) {
				t.Errorf("%s is at least what came later", r)
			}
		})
	}
	for _, bad := range []string{"", "6", "6.", "linux", ".5", "6.x", "999999.1", "-6.1"} {
		if r, err := host.ParseRelease(bad); err == nil {
			t.Errorf("ParseRelease(%q) = %+v, want an error", bad, r)
		}
	}
}

func TestKernelReleaseIsWhatUnameSays(t *testing.T) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	r, err := host.Proc.KernelRelease()
	if err != nil || r.Full != unix.ByteSliceToString(u.Release[:]) {
		t.Errorf("KernelRelease() = %v, %v, want %s", r, err, unix.ByteSliceToString(u.Release[:]))
	}
}

func TestCapabilities(t *testing.T) {
	tests := []struct {
		name, status string
		admin, ok    bool
	}{
		{"root", "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n", true, true},
		{"network alone", "CapEff:\t0000000000001000\n", true, true},
		{"permitted is not effective", "CapPrm:\t000001ffffffffff\nCapEff:\t0000000000000000\n", false, true},
		{"all but network", "CapEff:\t000001ffffffefff\n", false, true},
		{"no line", "Name:\tx\n", false, false},
		{"no number", "CapEff:\tall\n", false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := procCopy(t, map[string]string{"thread-self/status": test.status}).Capabilities()
			if c.NetAdmin() != test.admin || (err == nil) != test.ok {
				t.Errorf("Capabilities() = %x, %v; want NetAdmin %v", uint64(c), err, test.admin)
			}
		})
	}
}

func TestCapabilitiesAreWhatTheKernelSays(t *testing.T) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	c, err := host.Proc.Capabilities()
	if want := host.Capabilities(data[1].Effective)<<32 | host.Capabilities(data[0].Effective); c != want || err != nil {
		t.Errorf("Capabilities() = %x, %v, want %x (user %d)", uint64(c), err, uint64(want), os.Getuid())
	}
}
