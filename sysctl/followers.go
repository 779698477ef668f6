package sysctl

import (
	"os"
	"path/filepath"
	"strings"
)

// leaders are the keys whose write makes the kernel write others by itself, and the last components of those others
// (inet_forward_change and addrconf_fixup_forwarding, addrconf_disable_ipv6).
var leaders = []struct {
	key       string
	directory string   // each of its directories is an interface, "all" or "default"
	follow    []string // names in them
}{
	{"net.ipv4.ip_forward", "net.ipv4.conf", []string{"forwarding", "accept_redirects"}},
	{"net.ipv4.conf.all.forwarding", "net.ipv4.conf", []string{"forwarding", "accept_redirects"}},
	{"net.ipv6.conf.all.forwarding", "net.ipv6.conf", []string{"forwarding"}},
	{"net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf", []string{"disable_ipv6"}},
}

// leads says whether the kernel writes other keys when this one is written.
func leads(key string) bool {
	for _, l := range leaders {
		if l.key == key {
			return true
		}
	}
	return false
}

// WithFollowers gives the steps, each with the values of the keys that the kernel will overwrite by itself when the step
// is applied, for example every interface's forwarding after ip_forward. Record then journals them too, and Undo puts
// them back. Call it before Record.
func (c *Client) WithFollowers(steps []Step) ([]Step, error) {
	out := make([]Step, len(steps))
	copy(out, steps)
	own := map[string]bool{}
	for _, s := range steps {
		own[s.Key] = true
	}
	for i, s := range out {
		for _, l := range leaders {
			if l.key != s.Key {
				continue
			}
			states, err := c.Read(c.followers(l.directory, l.follow, own))
			if err != nil {
				return nil, err
			}
			out[i].Follow = states
		}
	}
	return out, nil
}

// followers lists the keys called names in the directories of a key's directory, without those that have a step.
func (c *Client) followers(directory string, names []string, own map[string]bool) []string {
	path, err := Path(c.root, directory)
	if err != nil {
		return nil
	}
	devices, err := os.ReadDir(path)
	if err != nil {
		return nil
	}
	var keys []string
	for _, d := range devices {
		for _, name := range names {
			key := directory + "." + strings.ReplaceAll(d.Name(), ".", "/") + "." + name
			if _, err := os.Stat(filepath.Join(path, d.Name(), name)); err == nil && !own[key] {
				keys = append(keys, key)
			}
		}
	}
	return keys
}
