package drill

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the processor time that was spent since the machine started. What the kernel spends on packets counts as
// softirq, apart from every program's own time, so it is in all and not in programs.
type cpuTime struct {
	all, programs, own time.Duration
}

// tickLength is one unit of /proc/stat: USER_HZ is 100 on every architecture that Go runs on.
const tickLength = time.Second / 100

// readCPU reads the clock of every program and our own.
func readCPU() (cpuTime, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTime{}, fmt.Errorf("read processor time: %w", err)
	}
	c, err := parseCPU(string(text))
	if err != nil {
		return c, err
	}
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		return c, fmt.Errorf("read processor time: %w", os.NewSyscallError("getrusage", err))
	}
	c.own = time.Duration(use.Utime.Nano() + use.Stime.Nano())
	return c, nil
}

// parseCPU reads the first line of /proc/stat: user nice system idle iowait irq softirq steal. Stolen time went to others
// as surely as a program's.
func parseCPU(text string) (c cpuTime, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return c, fmt.Errorf("read processor time: %q is not what /proc/stat begins with", line)
	}
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return c, fmt.Errorf("read processor time: %w", err)
		}
		c.all += time.Duration(n) * tickLength
		if i < 3 || i == 7 {
			c.programs += time.Duration(n) * tickLength
		}
	}
	return c, nil
}

// others is the share of all processors, in percent, that other programs took between two readings.
func (c cpuTime) others(since cpuTime) float64 {
	all := c.all - since.all
	taken := (c.programs - since.programs) - (c.own - since.own)
	if all <= 0 || taken <= 0 {
		return 0
	}
	return min(100, 100*float64(taken)/float64(all))
}
