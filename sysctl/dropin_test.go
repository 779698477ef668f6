package sysctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

// system makes a root directory with files; a content of "-> target" is a symbolic link.
func system(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestWhichDropinWins holds what systemd-sysctl 252 does, tried in a mount and network namespace of its own; /lib apart,
// which is the same as /usr/lib today.
func TestWhichDropinWins(t *testing.T) {
	const key, iface = "net.core.somaxconn", "net.ipv4.conf.eth0/100.rp_filter"
	for _, c := range []struct {
		name  string
		key   string
		files map[string]string
		want  string // "file:line value", "" when nothing sets the key
	}{
		{"nothing", key, nil, ""},
		{"a dotted key", key, map[string]string{"etc/sysctl.d/a.conf": "# why\n\nnet.core.somaxconn = 1\n"}, "/etc/sysctl.d/a.conf:3 1"},
		{"a key with slashes", key, map[string]string{"etc/sysctl.d/a.conf": "net/core/somaxconn=1"}, "/etc/sysctl.d/a.conf:1 1"},
		{"a leading slash", key, map[string]string{"etc/sysctl.d/a.conf": "/net/core/somaxconn=1"}, "/etc/sysctl.d/a.conf:1 1"},
		{"comments and lines that assign nothing", key, map[string]string{"etc/sysctl.d/a.conf": ";net.core.somaxconn = 1\n#net.core.somaxconn = 2\nnet.core.somaxconn\n"}, ""},
		{"the last line wins", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.somaxconn = 1\nnet.core.somaxconn = 2"}, "/etc/sysctl.d/a.conf:2 2"},
		{"the later name wins, whatever its directory", key, map[string]string{
			"etc/sysctl.d/10-a.conf": "net.core.somaxconn = 1", "usr/lib/sysctl.d/50-b.conf": "net.core.somaxconn = 2"}, "/usr/lib/sysctl.d/50-b.conf:1 2"},
		{"the same name in /etc hides the one in /usr/lib", key, map[string]string{
			"etc/sysctl.d/50-b.conf": "net.core.rmem_max = 1", "usr/lib/sysctl.d/50-b.conf": "net.core.somaxconn = 2"}, ""},
		{"/run comes before /usr/local/lib", key, map[string]string{
			"run/sysctl.d/b.conf": "net.core.somaxconn = 1", "usr/local/lib/sysctl.d/b.conf": "net.core.somaxconn = 2"}, "/run/sysctl.d/b.conf:1 1"},
		{"/usr/local/lib comes before /usr/lib", key, map[string]string{
			"usr/local/lib/sysctl.d/b.conf": "net.core.somaxconn = 1", "usr/lib/sysctl.d/b.conf": "net.core.somaxconn = 2"}, "/usr/local/lib/sysctl.d/b.conf:1 1"},
		{"/usr/lib comes before /lib", key, map[string]string{
			"usr/lib/sysctl.d/b.conf": "net.core.somaxconn = 1", "lib/sysctl.d/b.conf": "net.core.somaxconn = 2"}, "/usr/lib/sysctl.d/b.conf:1 1"},
		{"a link to /dev/null masks", key, map[string]string{
			"etc/sysctl.d/b.conf": "-> /dev/null", "usr/lib/sysctl.d/b.conf": "net.core.somaxconn = 2"}, ""},
		{"an empty file masks", key, map[string]string{
			"etc/sysctl.d/b.conf": "", "usr/lib/sysctl.d/b.conf": "net.core.somaxconn = 2"}, ""},
		{"/etc/sysctl.conf by itself is not read", key, map[string]string{"etc/sysctl.conf": "net.core.somaxconn = 2"}, ""},
		{"/etc/sysctl.conf is read through Debian's link", key, map[string]string{
			"etc/sysctl.conf": "net.core.somaxconn = 2", "etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf"}, "/etc/sysctl.d/99-sysctl.conf:1 2"},
		{"an absolute link stays in the root", key, map[string]string{
			"etc/tcp.conf": "net.core.somaxconn = 3", "etc/sysctl.d/a.conf": "-> /etc/tcp.conf"}, "/etc/sysctl.d/a.conf:1 3"},
		{"a link cannot leave the root", key, map[string]string{
			"etc/tcp.conf": "net.core.somaxconn = 3", "etc/sysctl.d/a.conf": "-> ../../../../../../etc/tcp.conf"}, "/etc/sysctl.d/a.conf:1 3"},
		{"a link to nowhere and a loop are no files", key, map[string]string{"etc/sysctl.d/a.conf": "-> gone", "etc/sysctl.d/c": "-> c"}, ""},
		{"/lib that is a link to /usr/lib", key, map[string]string{"lib": "-> usr/lib", "usr/lib/sysctl.d/a.conf": "net.core.somaxconn = 4"}, "/usr/lib/sysctl.d/a.conf:1 4"},
		{"other files are not read", key, map[string]string{"etc/sysctl.d/README": "net.core.somaxconn = 2", "etc/sysctl.d/.a.conf": "net.core.somaxconn = 2"}, ""},
		{"a dash only ignores errors", key, map[string]string{"etc/sysctl.d/a.conf": "-net.core.somaxconn = 2"}, "/etc/sysctl.d/a.conf:1 2"},
		{"a glob", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.some* = 2"}, ""},
		{"a glob that matches", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.soma* = 2"}, "/etc/sysctl.d/a.conf:1 2"},
		{"the last glob wins", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.soma* = 2\nnet.*.somaxconn = 3"}, "/etc/sysctl.d/a.conf:2 3"},
		{"a named key wins over a later glob", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.somaxconn = 1\nnet.core.soma* = 2"}, "/etc/sysctl.d/a.conf:1 1"},
		{"a key taken out of the globs", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.soma* = 2\n-net.core.somaxconn"}, ""},
		{"and set again", key, map[string]string{"etc/sysctl.d/a.conf": "-net.core.somaxconn\nnet.core.somaxconn = 3"}, "/etc/sysctl.d/a.conf:2 3"},
		{"set and taken out again", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.somaxconn = 3\n-net.core.somaxconn"}, ""},
		{"a dash with a glob takes nothing out", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.soma* = 2\n-net.core.somax*"}, "/etc/sysctl.d/a.conf:1 2"},
		{"a repeated glob moves to the end", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.soma* = 2\nnet.*.somaxconn = 3\nnet.core.soma* = 4"}, "/etc/sysctl.d/a.conf:3 4"},
		{"but not with the same value", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.soma* = 2\nnet.*.somaxconn = 3\nnet.core.soma* = 2"}, "/etc/sysctl.d/a.conf:2 3"},
		{"a dash and a space", key, map[string]string{"etc/sysctl.d/a.conf": "- net.core.somaxconn = 2"}, "/etc/sysctl.d/a.conf:1 2"},
		{"a comment after the value", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.somaxconn = 2 # why"}, "/etc/sysctl.d/a.conf:1 2"},
		{"a link to nowhere hides", key, map[string]string{"etc/sysctl.d/a.conf": "-> gone", "usr/lib/sysctl.d/a.conf": "net.core.somaxconn = 2"}, ""},
		{"/proc/sys is no part of a key", key, map[string]string{"etc/sysctl.d/a.conf": "/proc/sys/net/core/somaxconn = 2"}, ""},
		{"a star stops at a separator", key, map[string]string{"etc/sysctl.d/a.conf": "net.* = 2"}, ""},
		{"classes and braces", key, map[string]string{"etc/sysctl.d/a.conf": "net.core.{rmem_max,s[!a]maxcon?} = 2"}, "/etc/sysctl.d/a.conf:1 2"},
		{"a dotted interface", iface, map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.conf.eth0/100.rp_filter = 2"}, "/etc/sysctl.d/a.conf:1 2"},
		{"a dotted interface with slashes", iface, map[string]string{"etc/sysctl.d/a.conf": "net/ipv4/conf/eth0.100/rp_filter = 2"}, "/etc/sysctl.d/a.conf:1 2"},
		{"a glob over interfaces", iface, map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.conf.*.rp_filter = 2"}, "/etc/sysctl.d/a.conf:1 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dropins, err := LoadDropins(system(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if line, ok := dropins.winner(c.key); ok {
				got = Conflict{File: line.file, Line: line.line}.place() + " " + Join(line.fields())
			}
			if got != c.want {
				t.Errorf("%q decides, want %q", got, c.want)
			}
		})
	}
}

func TestConflicts(t *testing.T) {
	root := system(t, map[string]string{
		"etc/sysctl.d/10-a.conf":     "net.core.somaxconn = 128\nnet.ipv4.tcp_rmem = 4096   131072\t16777216\n",
		"usr/lib/sysctl.d/50-b.conf": "net.ipv4.tcp_syncookies = 0\nnet.ipv4.tcp_max_syn_backlog = 9999\n",
	})
	conflicts, err := Conflicts([]Setting{
		want("net.core.somaxconn", policy.AtLeast, "4096"),
		want("net.ipv4.tcp_rmem", policy.Exact, "4096 131072 16777216"),
		want("net.ipv4.tcp_max_syn_backlog", policy.AtLeast, "4096"),
		want("net.ipv4.tcp_syncookies", policy.Exact, "1"),
		want("fs.file-max", policy.AtLeast, "1"),
	}, root)
	var got []string
	for _, c := range conflicts {
		got = append(got, c.String())
	}
	const wanted = `/etc/sysctl.d/10-a.conf:1 sets net.core.somaxconn = 128 at every boot, declared is at_least 4096
/usr/lib/sysctl.d/50-b.conf:1 sets net.ipv4.tcp_syncookies = 0 at every boot, declared is 1`
	if err != nil || strings.Join(got, "\n") != wanted {
		t.Errorf("%v\n%s\nwant\n%s", err, strings.Join(got, "\n"), wanted)
	}
}

func TestConflictsInSpiteOfAFileThatCannotBeRead(t *testing.T) {
	root := system(t, map[string]string{
		"etc/sysctl.d/a.conf": strings.Repeat("#", maxDropin+1), "etc/sysctl.d/b.conf": "net.core.somaxconn = 128", "run/sysctl.d": "no directory",
	})
	conflicts, err := Conflicts([]Setting{want(somaxconn, policy.Exact, "1")}, root)
	if len(conflicts) != 1 || err == nil || !strings.Contains(err.Error(), "/etc/sysctl.d/a.conf") || !strings.Contains(err.Error(), "run/sysctl.d") {
		t.Errorf("conflicts %v, error %v: want one and both files named", conflicts, err)
	}
}

func FuzzParseDropin(f *testing.F) {
	f.Add("net.core.somaxconn = 1\n-net.*\nnet.core.{a,{b,c}}d[ = 2\n= \n-\n")
	f.Fuzz(func(t *testing.T, text string) {
		var d Dropins
		for _, line := range parseDropin(text) {
			d.add(line)
		}
		if line, ok := d.winner(somaxconn); ok && (line.line < 1 || line.excluded) {
			t.Errorf("%+v decides", line)
		}
	})
}
