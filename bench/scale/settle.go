package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"time"
)

// settle waits until kernel threads are quiet: network namespaces and sets are freed by workers, long after the system
// call that removed them. It gives up after some seconds, since a machine that others use is never quiet.
func (b *bench) settle() {
	const window, patience = 50 * time.Millisecond, 5 * time.Second
	for end := time.Now().Add(patience); time.Now().Before(end); {
		before := systemTicks()
		time.Sleep(window)
		// A tick is 10 ms, so at most one of them may fall into the window.
		if systemTicks()-before <= 1 {
			return
		}
	}
}

// systemTicks is the time that processors have spent in the kernel outside interrupts, in USER_HZ ticks, proc_stat(5).
func systemTicks() int64 {
	file, err := os.Open("/proc/stat")
	if err != nil {
		return 0
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	// cpu user nice system idle ...
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return 0
	}
	ticks, _ := strconv.ParseInt(fields[3], 10, 64)
	return ticks
}
