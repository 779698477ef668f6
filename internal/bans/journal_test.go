package bans

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func newJournal(t *testing.T) (*Journal, *clock) {
	t.Helper()
	c := &clock{noon}
	return NewJournal(filepath.Join(t.TempDir(), "state", "default"), c.now), c
}

func (j *Journal) mustAppend(t *testing.T, records ...record) {
	t.Helper()
	if err := j.append(records); err != nil {
		t.Fatal(err)
	}
}

func (j *Journal) mustLoad(t *testing.T) map[noteKey]note {
	t.Helper()
	notes, err := j.load()
	if err != nil {
		t.Fatal(err)
	}
	return notes
}

func addRecord(reason string, expires time.Time, in string, bans ...string) record {
	return record{Time: noon, Action: actionAdd, In: in, Author: Author{Login: "alice", Reason: reason}, Expires: expires, Bans: bans}
}

func TestJournalTellsTheLatest(t *testing.T) {
	j, c := newJournal(t)
	if notes := j.mustLoad(t); len(notes) != 0 {
		t.Errorf("a missing journal has %v", notes)
	}
	hour := noon.Add(time.Hour)
	j.mustAppend(t, addRecord("first", hour, "host", "192.0.2.1", "10.0.0.0/8", "192.0.2.3"), addRecord("web", hour, "policy.web", "192.0.2.1"))
	j.mustAppend(t, addRecord("second", time.Time{}, "host", "192.0.2.1"))
	j.mustAppend(t, record{Action: actionDel, In: "host", Bans: []string{"192.0.2.3"}})
	reason := func(p Place, text string) string {
		n, ok := j.mustLoad(t)[noteKey{p, span(t, text)}]
		if !ok {
			return "-"
		}
		return n.Reason
	}
	check := func(first, ten, third, inWeb string) {
		t.Helper()
		got := [4]string{reason(Place{}, "192.0.2.1"), reason(Place{}, "10.0.0.0/8"), reason(Place{}, "192.0.2.3"), reason(web, "192.0.2.1")}
		if want := [4]string{first, ten, third, inWeb}; got != want {
			t.Errorf("reasons %q, want %q", got, want)
		}
	}
	check("second", "first", "-", "web")
	c.time = hour.Add(time.Second) // what has ended is over, whatever is banned then
	check("second", "-", "-", "-")
	c.time = noon
	j.mustAppend(t, record{Action: actionFlush, In: "policy.web"})
	check("second", "first", "-", "-")
}

// A crash may leave half a line: it is skipped, and what follows is whole.
func TestJournalSurvivesTornLines(t *testing.T) {
	j, _ := newJournal(t)
	j.mustAppend(t, addRecord("one", time.Time{}, "host", "192.0.2.1"))
	whole, err := os.ReadFile(j.path())
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole {
		if err := os.WriteFile(j.path(), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j.mustAppend(t, addRecord("two", time.Time{}, "host", "192.0.2.2"))
		if notes := j.mustLoad(t); notes[noteKey{Place{}, span(t, "192.0.2.2")}].Reason != "two" {
			t.Fatalf("cut at %d: %v", cut, notes)
		}
	}
	garbage := []byte("nonsense\n{\"action\":\"add\",\"bans\":[\"nobody\"],\"in\":3}\n\x00\xff\n{}\n")
	if err := os.WriteFile(j.path(), append(garbage, whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if notes := j.mustLoad(t); len(notes) != 1 {
		t.Errorf("behind garbage: %v", notes)
	}
}

func TestJournalIsBounded(t *testing.T) {
	j, _ := newJournal(t)
	j.most, j.keep = 20_000, 10_000
	for i := range 1000 {
		j.mustAppend(t, addRecord(fmt.Sprint(i), time.Time{}, "host", fmt.Sprintf("10.0.%d.%d", i/256, i%256)))
		if info, err := os.Stat(j.path()); err != nil || info.Size() > j.most {
			t.Fatalf("%d bytes (%v) after %d records", info.Size(), err, i)
		}
	}
	notes := j.mustLoad(t)
	if n, ok := notes[noteKey{Place{}, span(t, "10.0.3.231")}]; !ok || n.Reason != "999" {
		t.Errorf("the newest record is gone: %v", n)
	}
	if _, ok := notes[noteKey{Place{}, span(t, "10.0.0.0")}]; ok || len(notes) < 50 {
		t.Errorf("%d records are left", len(notes))
	}
	content, err := os.ReadFile(j.path())
	if err != nil || !bytes.HasPrefix(content, []byte("{")) {
		t.Errorf("begins with %.20q (%v)", content, err)
	}
	// One record that is longer than all that is kept costs the others, and itself.
	huge := addRecord("huge", time.Time{}, "host")
	for i := range 3000 {
		huge.Bans = append(huge.Bans, fmt.Sprintf("11.0.%d.%d", i/256, i%256))
	}
	j.mustAppend(t, huge)
	j.mustAppend(t, addRecord("after", time.Time{}, "host", "10.9.9.9"))
	if notes := j.mustLoad(t); notes[noteKey{Place{}, span(t, "10.9.9.9")}].Reason != "after" {
		t.Errorf("%d records after a huge one", len(notes))
	}
}

func TestJournalOfTwoProcesses(t *testing.T) {
	j, _ := newJournal(t)
	j.most, j.keep = 4000, 2000 // they also replace it under each other
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			own := *j
			for i := range 50 {
				if err := own.append([]record{addRecord("x", time.Time{}, "host", fmt.Sprintf("10.0.%d.%d", w, i))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	content, err := os.ReadFile(j.path())
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Count(content, []byte("\n"))
	if notes := j.mustLoad(t); len(notes) != lines || lines < 10 {
		t.Errorf("%d lines tell of %d bans", lines, len(notes))
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Dir(w.journal.dir)
	w.journal.dir = filepath.Join(dir, "file", "below")
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	added, err := w.Add(Place{}, entries(t, "192.0.2.1"), alice)
	if err != nil {
		t.Fatal(err)
	}
	if added.Journal == nil {
		t.Error("nothing says that the reason is lost")
	}
}
