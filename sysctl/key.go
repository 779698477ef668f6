package sysctl

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// DefaultRoot is where the kernel shows its settings.
const DefaultRoot = "/proc/sys"

// maxKey bounds a key's length, so that hostile input cannot make a path longer than PATH_MAX.
const maxKey = 1024

// ParseKey gives the normal form of a key: dots between components, and a slash for a dot inside a component, as
// sysctl(8) prints it ("net.ipv4.conf.eth0/100.rp_filter"). As there, the first separator decides: when it is a slash
// the key is a path ("net/ipv4/conf/eth0.100/rp_filter", also below /proc/sys), otherwise dots separate. The normal
// form of a normal form is itself. The error says what is wrong with the key, without naming it.
func ParseKey(key string) (string, error) {
	parts, err := components(key)
	if err != nil {
		return "", err
	}
	return join(parts), nil
}

// Path is the file of a key below root. The result is always below root: no component of a key is "", "." or "..".
func Path(root, key string) (string, error) {
	parts, err := components(key)
	if err != nil {
		return "", err
	}
	return filepath.Join(append([]string{root}, parts...)...), nil
}

// components splits a key into the names of its directories and its file.
func components(key string) ([]string, error) {
	if len(key) > maxKey {
		return nil, fmt.Errorf("a key has at most %d bytes", maxKey)
	}
	if strings.IndexFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\ufffd' }) >= 0 {
		return nil, errors.New("a key has no white space and no control characters")
	}
	if strings.ContainsAny(key, "*?[]=") {
		return nil, errors.New("a key is no pattern: name each key by itself")
	}
	key = strings.TrimPrefix(key, DefaultRoot+"/")
	parts := split(key)
	for _, p := range parts {
		if p == "" || p == "." || p == ".." {
			return nil, errors.New("a key is names with one dot or slash between them")
		}
	}
	if len(parts) < 2 {
		return nil, errors.New("a key starts with its tree, as in net.core.somaxconn")
	}
	parts = mendInterface(parts)
	if strings.Contains(parts[len(parts)-1], ".") {
		return nil, errors.New("only the name of an interface can hold a dot")
	}
	return parts, nil
}

// split takes a key apart at the kind of separator that stands first in it.
func split(key string) []string {
	first := strings.IndexAny(key, "./")
	if first >= 0 && key[first] == '/' {
		return strings.Split(key, "/")
	}
	parts := strings.Split(key, ".")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(p, "/", ".")
	}
	return parts
}

// mendInterface puts an interface name together again that was written with its dot, as in
// net.ipv4.conf.eth0.100.rp_filter. The kernel has nothing deeper than one directory below conf and neigh, so the
// meaning is certain.
func mendInterface(parts []string) []string {
	if len(parts) <= 5 || parts[0] != "net" || (parts[2] != "conf" && parts[2] != "neigh") {
		return parts
	}
	last := len(parts) - 1
	return []string{parts[0], parts[1], parts[2], strings.Join(parts[3:last], "."), parts[last]}
}

// join is the inverse of components.
func join(parts []string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strings.ReplaceAll(p, ".", "/"))
	}
	return b.String()
}
