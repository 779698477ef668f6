package host

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// owners looks through the open files of all processes for the listeners' sockets. What this user may not see, or
// what ends meanwhile, is passed over.
func (r Root) owners(ctx context.Context, listeners []Listener) (map[uint32]Process, error) {
	wanted := make(map[string]uint32, len(listeners))
	for _, l := range listeners {
		wanted["socket:["+strconv.FormatUint(uint64(l.Inode), 10)+"]"] = l.Inode
	}
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	found := make(map[uint32]Process, len(listeners))
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var process Process
		for _, inode := range r.held(pid, wanted) {
			if _, taken := found[inode]; taken {
				continue
			}
			if process.PID == 0 {
				process = Process{PID: pid, Command: r.command(pid)}
			}
			found[inode] = process
		}
		if len(found) == len(wanted) {
			break
		}
	}
	return found, nil
}

// pids gives the processes, lowest first, so that a server's parent is found before its workers.
func (r Root) pids() ([]int, error) {
	dir, err := os.Open(string(r))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// held gives the wanted sockets among the open files of a process.
func (r Root) held(pid int, wanted map[string]uint32) []uint32 {
	path := r.path(strconv.Itoa(pid), "fd")
	dir, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var inodes []uint32
	for _, name := range names {
		target, err := os.Readlink(path + "/" + name)
		if err != nil {
			continue
		}
		if inode, ok := wanted[target]; ok {
			inodes = append(inodes, inode)
		}
	}
	return inodes
}

// command is the name of a process. Any process may name itself as it likes, so nothing that could steer a terminal
// or break a line comes through.
func (r Root) command(pid int) string {
	name, err := r.read(strconv.Itoa(pid), "comm")
	if err != nil {
		return ""
	}
	return strings.Map(func(c rune) rune {
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, name)
}
