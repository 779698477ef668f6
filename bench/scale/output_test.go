package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/bench/report"
)

func TestTablesArePutBetweenTheMarks(t *testing.T) {
	for _, c := range []struct {
		name, old, want string
		ok              bool
	}{
		{"replaced", "a\n" + begin + "old\n" + end + "\nb\n", "a\n" + begin + "new\n" + end + "\nb\n", true},
		{"first time", begin + end, begin + "new\n" + end, true},
		{"no marks", "a\n", "", false},
		{"not closed", begin + "a\n", "", false},
	} {
		got, ok := between(c.old, "new\n")
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %q, %t", c.name, got, ok)
		}
	}
}

func TestFiguresReadWell(t *testing.T) {
	for got, want := range map[string]string{
		ms(1234 * time.Microsecond): "1.23 ms", ms(123 * time.Millisecond): "123 ms", ms(1234 * time.Millisecond): "1.23 s",
		report.Times(2): "2.00x", report.Times(0.0994): "0.099x", report.Times(0.00012): "0.00012x", mib(1536): "1.5 MiB",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if m := report.Median([]int{9, 1, 5, 7}); m != 5 {
		t.Errorf("median %d, want 5", m)
	}
	if r := report.Ratios([]int{1, 9}, []int{2, 3}); r[0] != 0.5 || r[1] != 3 {
		t.Errorf("ratios %v", r)
	}
}

func TestTablesAlign(t *testing.T) {
	table := &report.Table{Title: "T", Header: []string{"a", "wide"}, Note: "n"}
	table.Add("long name", "1")
	var plain, markdown strings.Builder
	table.Print(&plain, false)
	table.Print(&markdown, true)
	if want := "T\na          wide\nlong name     1\n\nn\n"; plain.String() != want {
		t.Errorf("plain:\n%q\nwant\n%q", plain.String(), want)
	}
	if want := "**T**\n\n| a         | wide |\n| --------- | ---: |\n| long name |    1 |\n\nn\n"; markdown.String() != want {
		t.Errorf("markdown:\n%q\nwant\n%q", markdown.String(), want)
	}
}
