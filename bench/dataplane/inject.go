package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Packets are made by the kernel itself: BPF_PROG_TEST_RUN in live mode runs an XDP program over copies of one frame,
// and the program redirects each into the client's end of a veth pair (Documentation/bpf/bpf_prog_run.rst). They come
// out of the guarded host's interface as any packet does, and meet an XDP program there first. The receiving softirq
// runs on the thread that sends, at the end of each batch, so that thread's CPU clock holds the whole cost.

// batch is how many packets the kernel makes before it lets the receiver run; a veth ring holds 256.
const batch = 64

func lockForever() { runtime.LockOSThread() }

// send runs the program for n packets. The calling thread must be locked and in the client's namespace.
func send(program *ebpf.Program, frame []byte, n int) error {
	// A pending signal ends the run early (bpf_test_run_xdp_live), and Go's scheduler preempts threads by signals.
	every, old := unix.Sigset_t{}, unix.Sigset_t{}
	for i := range every.Val {
		every.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &every, &old); err != nil {
		return fmt.Errorf("block signals: %w", err)
	}
	_, err := program.Run(&ebpf.RunOptions{Data: frame, Repeat: uint32(n), Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES, BatchSize: batch})
	if back := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); back != nil {
		return fmt.Errorf("unblock signals: %w", back)
	}
	if err != nil {
		return fmt.Errorf("send packets: %w", err)
	}
	return nil
}

// meter measures the CPU time of one processor's network work: that of the thread pinned to it, and of ksoftirqd, which
// takes over when softirqs last long.
type cpuMeter struct{ ksoftirqd string }

// pin binds the locked calling thread to the last processor.
func pin() (cpuMeter, error) {
	cpu := runtime.NumCPU() - 1
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return cpuMeter{}, fmt.Errorf("bind thread to processor %d: %w", cpu, err)
	}
	name := fmt.Sprintf("ksoftirqd/%d", cpu)
	all, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, comm := range all {
		if text, err := os.ReadFile(comm); err == nil && string(bytes.TrimSpace(text)) == name {
			return cpuMeter{filepath.Join(filepath.Dir(comm), "schedstat")}, nil
		}
	}
	// In a process namespace of its own the kernel's threads cannot be seen; their share is small.
	return cpuMeter{}, nil
}

func (m cpuMeter) read() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now)
	total := now.Nano()
	if m.ksoftirqd != "" {
		text, _ := os.ReadFile(m.ksoftirqd)
		first, _, _ := bytes.Cut(text, []byte(" "))
		if n, err := strconv.ParseInt(string(first), 10, 64); err == nil {
			total += n
		}
	}
	return time.Duration(total)
}
