package view

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/tcpguard/tcpguard/internal/bans"
)

// shownBans bounds how many sources the outcome of a change names.
const shownBans = 5

// Banned says how many sources were banned, and which were not.
func (t *Text) Banned(b Banned) error {
	var what []string
	if b.Addresses > 0 {
		what = append(what, count(b.Addresses, "address", "addresses"))
	}
	if b.Ranges > 0 {
		what = append(what, count(b.Ranges, "range", "ranges"))
	}
	line := "No changes."
	if len(what) > 0 {
		line = "Banned " + strings.Join(what, " and ") + placeText(b.Place) + forText(b.For) + "."
	}
	out := bufio.NewWriter(t.out)
	fmt.Fprintln(out, line)
	for i, c := range b.Covered {
		if i == shownBans {
			fmt.Fprintf(out, "  and %d more that are covered already\n", len(b.Covered)-i)
			break
		}
		fmt.Fprintf(out, "  %s is covered by %s, for at least as long\n", c.Span, c.By)
	}
	for i, s := range b.Cut {
		if i == shownBans {
			fmt.Fprintf(out, "  and %d more that gave way\n", len(b.Cut)-i)
			break
		}
		fmt.Fprintf(out, "  the ban of %s ends sooner and gave way where the new ones are\n", s)
	}
	for _, n := range b.Notes {
		fmt.Fprintf(out, "  %s\n", n)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return t.warn(b.Warnings)
}

func placeText(p bans.Place) string {
	if p == (bans.Place{}) {
		return ""
	}
	return " in " + p.String()
}

func forText(d string) string {
	switch d {
	case "":
		return ", each for its own time"
	case "forever":
		return " forever"
	}
	return " for " + d
}

// Unbanned says how many bans ended, and what was not banned.
func (t *Text) Unbanned(u Unbanned) error {
	line := "No changes."
	if u.Bans > 0 {
		line = "Ended " + count(u.Bans, "ban", "bans") + placeText(u.Place) + "."
	}
	out := bufio.NewWriter(t.out)
	fmt.Fprintln(out, line)
	for i, m := range u.Missing {
		if i == shownBans {
			fmt.Fprintf(out, "  and %d more that were not banned\n", len(u.Missing)-i)
			break
		}
		fmt.Fprintf(out, "  %s was not banned\n", m.Span)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return t.warn(u.Warnings)
}

// Flushed says where all bans ended.
func (t *Text) Flushed(f Flushed) error {
	names := make([]string, len(f.Places))
	for i, p := range f.Places {
		names[i] = p.String()
	}
	if _, err := fmt.Fprintf(t.out, "Ended all bans of %s.\n", strings.Join(names, ", ")); err != nil {
		return err
	}
	return t.warn(f.Warnings)
}

func (t *Text) warn(lines []string) error {
	for _, w := range lines {
		if _, err := fmt.Fprintf(t.err, "%s %s\n", t.errStyle().paint(yellow, "warning:"), w); err != nil {
			return err
		}
	}
	return nil
}

// sinceLayout is short and sorts.
const sinceLayout = "2006-01-02 15:04:05"

// Bans is a table, a ban a line.
func (t *Text) Bans(l BanList) error {
	if len(l.Bans) == 0 {
		if _, err := fmt.Fprintln(t.out, "No bans."); err != nil {
			return err
		}
		return t.warn(l.Warnings)
	}
	row := func(b bans.Ban) [5]string {
		since := "-"
		if !b.Since.IsZero() {
			since = b.Since.UTC().Format(sinceLayout)
		}
		return [5]string{b.Span.String(), b.Place.String(), leftText(b), since, orDash(b.By)}
	}
	titles := [5]string{"ADDRESS", "IN", "LEFT", "SINCE (UTC)", "BY"}
	var widths [5]int
	for i, title := range titles {
		widths[i] = len(title)
	}
	for _, b := range l.Bans {
		for i, cell := range row(b) {
			widths[i] = max(widths[i], len(cell))
		}
	}
	out := bufio.NewWriter(t.out)
	line := func(cells [5]string, last string, paint func(string) string) {
		var s strings.Builder
		for i, cell := range cells {
			fmt.Fprintf(&s, "%-*s  ", widths[i], cell)
		}
		fmt.Fprintln(out, paint(strings.TrimRight(s.String()+last, " ")))
	}
	line(titles, "REASON", func(s string) string { return t.style.paint(bold, s) })
	for _, b := range l.Bans {
		line(row(b), b.Reason, func(s string) string { return s })
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return t.warn(l.Warnings)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// leftText shows the two largest units, as a person would say it: "59m12s", "6d23h".
func leftText(b bans.Ban) string {
	if b.Permanent {
		return "forever"
	}
	s := int64((b.Left + time.Second - 1) / time.Second)
	for _, u := range []struct {
		seconds, part int64
		large, small  string
	}{{86400, 3600, "d", "h"}, {3600, 60, "h", "m"}, {60, 1, "m", "s"}} {
		if s >= u.seconds {
			return fmt.Sprintf("%d%s%d%s", s/u.seconds, u.large, s%u.seconds/u.part, u.small)
		}
	}
	return fmt.Sprintf("%ds", s)
}
