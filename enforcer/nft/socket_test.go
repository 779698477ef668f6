package nft_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

func addresses(n int) *addrset.Part {
	p := &addrset.Part{Kind: addrset.Addrs4, Addrs4: make([]uint32, n)}
	for i := range p.Addrs4 {
		p.Addrs4[i] = 0x0b000000 + uint32(i)*37
	}
	return p
}

// A socket works whatever its descriptor's number: select-style code would break at 1024.
func TestDescriptorBeyond1024(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 1200 {
		t.Skipf("needs a limit of 1200 open files, has %d: %v", limit.Cur, err)
	}
	for range 1100 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
	}
	k := newKernel(t)
	k.commit(t, addTable)
	if !k.read(t).Exists {
		t.Error("no table")
	}
}

// A batch beyond net.core.wmem_max goes out where the buffer may be forced, and is refused in clear words elsewhere.
func TestBatchBeyondTheSendBuffer(t *testing.T) {
	most, err := os.ReadFile("/proc/sys/net/core/wmem_max")
	if err != nil {
		t.Skipf("needs net.core.wmem_max: %v", err)
	}
	var size int
	if _, err := fmt.Sscan(string(most), &size); err != nil || size > 16<<20 {
		t.Skipf("needs a net.core.wmem_max of at most 16 MiB, has %d: %v", size, err)
	}
	members := addresses(2*size/16 + 1000)
	set := listSet(addrset.Addrs4)
	ops := []enforcer.Op{addTable, {Verb: enforcer.Add, Set: set}, {Verb: enforcer.Add, InSet: set, Members: members}}

	confined := newKernel(t, nft.Unforced())
	var tooBig *nft.BufferError
	if err := confined.try(t, ops...); !errors.As(err, &tooBig) || !contains(err, "net.core.wmem_max to") {
		t.Errorf("got %v, want a BufferError", err)
	}
	confined.commit(t, addTable)
	if rs := confined.read(t); len(rs.Sets) != 0 {
		t.Errorf("applied in part: %+v", rs.Sets)
	}

	forced := newKernel(t)
	forced.commit(t, ops...)
	if got := forced.read(t).Sets[0].Count; got != -1 && got != members.Len() {
		t.Errorf("%d elements of %d", got, members.Len())
	}
}

// Without CAP_NET_ADMIN the error says so; in a user namespace of one's own everything but large buffers works.
func TestUnprivileged(t *testing.T) {
	switch os.Getenv("NFT_TEST_CHILD") {
	case "nobody":
		if _, err := nft.Open(); !errors.Is(err, nft.ErrPermission) || !contains(err, "CAP_NET_ADMIN") {
			t.Errorf("got %v, want ErrPermission", err)
		}
		return
	case "owner":
		ownNamespace(t)
		return
	}
	nettest.Need(t)
	t.Run("nobody", func(t *testing.T) {
		child(t, "nobody", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
	})
	t.Run("owner", func(t *testing.T) {
		child(t, "owner", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}})
	})
}

// child runs this test again in a process of the given kind.
func child(t *testing.T, role string, attr *syscall.SysProcAttr) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestUnprivileged$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "NFT_TEST_CHILD="+role)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EACCES) {
		t.Skipf("needs to start such a process: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestUnprivileged") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func ownNamespace(t *testing.T) {
	c, err := nft.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k := kernel{Conn: c}
	want := fixtures()
	for _, s := range statements() {
		want.Chains[0].Rules = append(want.Chains[0].Rules, enforcer.Rule{Comment: "policy.web 1", Statements: s.list})
	}
	if err := nft.Normalize(want); err != nil {
		t.Fatal(err)
	}
	k.commit(t, build(want)...)
	if got := k.read(t); len(got.Chains[0].Rules) != len(statements()) {
		t.Errorf("read %d rules", len(got.Chains[0].Rules))
	}
	set := listSet(addrset.Addrs4)
	err = k.try(t, enforcer.Op{Verb: enforcer.Add, Set: set}, enforcer.Op{Verb: enforcer.Add, InSet: set, Members: addresses(2_000_000)})
	var tooBig *nft.BufferError
	if err != nil && !errors.As(err, &tooBig) {
		t.Errorf("a batch of 32 MB: %v", err)
	}
}
