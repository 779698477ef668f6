package sysctl

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/policy"
)

const somaxconn = "net.core.somaxconn"

// journal is the state directory of one host, opened anew by every run.
type journal struct {
	t   *testing.T
	dir string
}

func (j journal) open(epoch string) *Journal {
	j.t.Helper()
	opened, err := Open(j.dir, epoch)
	if err != nil {
		j.t.Fatal(err)
	}
	return opened
}

// record journals one step of somaxconn, as a run of its own would.
func (j journal) record(epoch, before, after string) {
	j.t.Helper()
	step := Step{Key: somaxconn, Before: Fields(before), After: Fields(after), Setting: want(somaxconn, policy.Exact, after)}
	if err := j.open(epoch).Record([]Step{step}); err != nil {
		j.t.Fatal(err)
	}
}

// restore gives what a run would write to restore somaxconn, as "before -> after", and its notes.
func (j journal) restore(epoch, inForce string) (step, notes string, forget []string) {
	j.t.Helper()
	r := j.open(epoch).Restore(nil, []State{held(somaxconn, inForce)})
	for _, s := range r.Steps {
		step += Join(s.Before) + " -> " + Join(s.After)
	}
	for _, n := range r.Notes {
		notes += n.Text
	}
	return step, notes, r.Forget
}

func TestOriginalIsRecordedOnce(t *testing.T) {
	j := journal{t, t.TempDir()}
	j.record("boot1", "128", "4096")
	j.record("boot1", "4096", "8192")
	j.record("boot1", "100", "8192") // somebody wrote 100 in between
	if step, _, _ := j.restore("boot1", "8192"); step != "8192 -> 128" {
		t.Errorf("restores %q, want the value before the first write", step)
	}
}

func TestOriginalAfterAReboot(t *testing.T) {
	for _, c := range []struct {
		name, inForce, want string
	}{
		{"the boot's own value is the new original", "256", "8192 -> 256"},
		{"what we applied came back by itself, so the old original stays", "4096", "8192 -> 128"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := journal{t, t.TempDir()}
			j.record("boot1", "128", "4096")
			j.record("boot2", c.inForce, "8192")
			if step, _, _ := j.restore("boot2", "8192"); step != c.want {
				t.Errorf("restores %q, want %q", step, c.want)
			}
		})
	}
}

func TestRestore(t *testing.T) {
	for _, c := range []struct {
		name, epoch, inForce string
		step, note           string
	}{
		{"what we applied goes back", "boot1", "4096", "4096 -> 128", ""},
		{"what is back already needs no write", "boot1", "128", "", ""},
		{"what somebody else wrote goes back, and is told", "boot1", "999", "999 -> 128",
			"net.core.somaxconn holds 999, which somebody else wrote: it goes back to 128 all the same"},
		{"what a boot set is left alone", "boot2", "256", "", "net.core.somaxconn holds 256 since a reboot: left alone"},
		{"what came back over a reboot goes back", "boot2", "4096", "4096 -> 128", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := journal{t, t.TempDir()}
			j.record("boot1", "128", "4096")
			step, note, forget := j.restore(c.epoch, c.inForce)
			if step != c.step || note != c.note || !slices.Equal(forget, []string{somaxconn}) {
				t.Errorf("step %q, note %q, forget %q; want %q, %q and the key", step, note, forget, c.step, c.note)
			}
		})
	}
}

func TestRestoreOnlyWhatIsNoLongerDeclared(t *testing.T) {
	dir := t.TempDir()
	j := journal{t, dir}.open("boot1")
	kept := want("net.ipv4.tcp_sack", policy.Exact, "0")
	kept.OnRemove = policy.RemoveKeep
	err := j.Record([]Step{
		{Key: somaxconn, Before: []string{"1"}, After: []string{"2"}, Setting: want(somaxconn, policy.Exact, "2")},
		{Key: "fs.file-max", Before: []string{"10"}, After: []string{"20"}, Setting: want("fs.file-max", policy.Exact, "20")},
		{Key: "net.ipv4.tcp_sack", Before: []string{"1"}, After: []string{"0"}, Setting: kept},
		{Key: "net.core.rmem_max", Before: []string{"5000"}, After: []string{"6000"}, Setting: want("net.core.rmem_max", policy.Exact, "6000")},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := j.Restore([]Setting{want(somaxconn, policy.Exact, "2")}, []State{
		held(somaxconn, "2"), held("fs.file-max", "20"), held("net.ipv4.tcp_sack", "0"), {Key: "net.core.rmem_max", Missing: true},
	})
	if len(r.Steps) != 1 || r.Steps[0].Key != "fs.file-max" || Join(r.Steps[0].After) != "10" {
		t.Errorf("steps %+v, want fs.file-max back to 10", r.Steps)
	}
	if want := []string{"fs.file-max", "net.core.rmem_max", "net.ipv4.tcp_sack"}; !slices.Equal(r.Forget, want) {
		t.Errorf("forgets %q, want %q", r.Forget, want)
	}
	if len(r.Notes) != 2 || !strings.Contains(r.Notes[0].Text, "is gone") || !strings.Contains(r.Notes[1].Text, "keeps 0") {
		t.Errorf("notes %+v", r.Notes)
	}
	if err := j.Forget(r.Forget...); err != nil || !slices.Equal(journal{t, dir}.open("boot1").Keys(), []string{somaxconn}) {
		t.Errorf("after Forget: %v, %q", err, j.Keys())
	}
}

func TestDeclareTakesOverOnRemove(t *testing.T) {
	j := journal{t, t.TempDir()}
	j.record("boot1", "128", "4096")
	changed := want(somaxconn, policy.Exact, "4096")
	changed.OnRemove = policy.RemoveKeep
	if err := j.open("boot1").Declare([]Setting{changed}); err != nil {
		t.Fatal(err)
	}
	if step, note, _ := j.restore("boot1", "4096"); step != "" || !strings.Contains(note, "keeps 4096") {
		t.Errorf("restores %q with the note %q, want it kept", step, note)
	}
}

func TestUndoneForgetsWhatWasPutBack(t *testing.T) {
	j := journal{t, t.TempDir()}
	j.record("boot1", "128", "4096")
	second := Step{Key: somaxconn, Before: []string{"4096"}, After: []string{"8192"}, Setting: want(somaxconn, policy.Exact, "8192")}
	opened := j.open("boot1")
	if err := opened.Record([]Step{second}); err != nil {
		t.Fatal(err)
	}
	if err := opened.Undone([]Step{second}); err != nil {
		t.Fatal(err)
	}
	if o, ok := j.open("boot1").Original(somaxconn); !ok || Join(o.Value) != "128" || Join(o.Applied) != "4096" {
		t.Errorf("after undoing the second write: %+v, %v", o, ok)
	}
	first := Step{Key: somaxconn, Before: []string{"128"}, After: []string{"4096"}}
	if err := opened.Undone([]Step{first}); err != nil {
		t.Fatal(err)
	}
	if keys := j.open("boot1").Keys(); len(keys) != 0 {
		t.Errorf("after undoing the first write it still knows %q", keys)
	}
}

// TestUndoneForgetsFollowers: what followed an undone write is back as well, unless an earlier write of it stays.
func TestUndoneForgetsFollowers(t *testing.T) {
	step := func(before, after string) Step {
		return Step{Key: "net.ipv4.ip_forward", Before: Fields(before), After: Fields(after), Setting: want("net.ipv4.ip_forward", policy.Exact, after),
			Follow: []State{held("net.ipv4.conf.all.accept_redirects", "0")}}
	}
	j := journal{t, t.TempDir()}.open("e")
	for _, s := range []Step{step("0", "1"), step("1", "2")} {
		if err := j.Record([]Step{s}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Undone([]Step{step("1", "2")}); err != nil || len(j.Keys()) != 2 {
		t.Errorf("after undoing the second write: %v, %q, want both keys", err, j.Keys())
	}
	if err := j.Undone([]Step{step("0", "1")}); err != nil || len(j.Keys()) != 0 {
		t.Errorf("after undoing the first write: %v, %q, want none", err, j.Keys())
	}
}

// TestCutShort kills a run, in thought, after each of its steps: whatever was reached, the next run restores the
// original from what is on disk and in force.
func TestCutShort(t *testing.T) {
	steps := []Step{
		{Key: "fs.nr_open", Before: []string{"64"}, After: []string{"128"}, Setting: want("fs.nr_open", policy.Exact, "128")},
		{Key: "fs.file-max", Before: []string{"100"}, After: []string{"200"}, Setting: want("fs.file-max", policy.Exact, "200")},
	}
	for reached := 0; reached <= len(steps)+1; reached++ {
		c := newClient(t, tree(t, map[string]string{"fs.nr_open": "64", "fs.file-max": "100"}))
		dir := t.TempDir()
		if reached > 0 {
			if err := (journal{t, dir}).open("boot1").Record(steps); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range steps[:max(reached-1, 0)] {
			if err := c.Apply(s); err != nil {
				t.Fatal(err)
			}
		}
		next := journal{t, dir}.open("boot1")
		states, err := c.Read(next.Keys())
		if err != nil {
			t.Fatal(err)
		}
		r := next.Restore(nil, states)
		if _, err := c.ApplyAll(r.Steps); err != nil {
			t.Fatal(err)
		}
		if err := next.Forget(r.Forget...); err != nil {
			t.Fatal(err)
		}
		if a, b := value(t, c, "fs.nr_open"), value(t, c, "fs.file-max"); a != "64" || b != "100" || len(next.Keys()) != 0 {
			t.Errorf("cut short after %d steps: nr_open %s, file-max %s, journal %q", reached, a, b, next.Keys())
		}
	}
}

func TestDamagedJournalIsKept(t *testing.T) {
	const good = `{"format_version":"1.0","keys":{"net.core.somaxconn":{"original":["1"],"applied":["2"],"epoch":"e","on_remove":"restore"}}}`
	for name, content := range map[string]string{
		"empty":             "",
		"cut off":           good[:60],
		"another format":    strings.Replace(good, "1.0", "2.0", 1),
		"trailing data":     good + "{}",
		"no keys":           `{"format_version":"1.0"}`,
		"a path as key":     strings.Replace(good, "net.core.somaxconn", "../../etc/passwd", 1),
		"unknown on_remove": strings.Replace(good, "restore", "melt", 1),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, journalFile)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, "e"); err == nil || !strings.Contains(err.Error(), "move the file away") {
				t.Errorf("error %v, want one that says what to do", err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != content {
				t.Errorf("the file was changed: %q, %v", after, err)
			}
		})
	}
	if _, err := decode([]byte(good)); err != nil {
		t.Errorf("the undamaged journal is refused, so nothing was tried: %v", err)
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	j := journal{t, dir}.open("e")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	step := Step{Key: somaxconn, Before: []string{"1"}, After: []string{"2"}, Setting: want(somaxconn, policy.Exact, "2")}
	if err := j.Record([]Step{step}); err == nil || len(j.Keys()) != 0 {
		t.Errorf("Record = %v and knows %q: want an error and nothing known", err, j.Keys())
	}
}
