package bans

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bounds of what is read: as many entries as the kernel's sets hold of each kind, and no longer lines than a list's.
const (
	MaxEntries = 1 << 20
	maxLine    = 4096
)

// longest bounds a ban that ends: beyond it only "forever" is honest.
const longest = 10 * 365 * 24 * time.Hour

// ParseFor reads how long a ban lasts: "forever", or a duration of whole seconds up to ten years with the units s, m,
// h, d and w, such as "1h", "90m", "7d" or "1d12h".
func ParseFor(text string) (time.Duration, error) {
	if text == "forever" {
		return Forever, nil
	}
	total, rest := time.Duration(0), text
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil || digits == len(rest) {
			return 0, errDuration(text)
		}
		unit, ok := map[byte]time.Duration{
			's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
		}[rest[digits]]
		if !ok {
			return 0, errDuration(text)
		}
		if n > math.MaxInt64/int64(unit) || total+time.Duration(n)*unit > longest {
			return 0, fmt.Errorf("%q is more than ten years; write forever", text)
		}
		total, rest = total+time.Duration(n)*unit, rest[digits+1:]
	}
	if total <= 0 {
		return 0, errDuration(text)
	}
	return total, nil
}

func errDuration(text string) error {
	return fmt.Errorf("%q is no duration: want one such as 30s, 10m, 1h, 7d, 2w or forever", text)
}

// LineError is a mistake in a list of sources.
type LineError struct {
	Line int // from 1
	Text string
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %q: %v", e.Line, e.Text, e.Err) }

// Unwrap gives what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Read reads one source a line, with a duration of its own behind it where there is one, as in "192.0.2.0/24 7d". What
// follows a # is skipped. The first mistake ends the reading with a *LineError.
func Read(r io.Reader, usual time.Duration) ([]Entry, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var entries []Entry
	number := 0
	for lines.Scan() {
		number++
		text := cutComment(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if text == "" {
			continue
		}
		e, err := parseLine(text, usual)
		if err == nil && len(entries) == MaxEntries {
			err = fmt.Errorf("more than %d sources", MaxEntries)
		}
		if err != nil {
			return nil, &LineError{Line: number, Text: text[:min(len(text), 64)], Err: err}
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, &LineError{Line: number + 1, Err: fmt.Errorf("longer than %d bytes", maxLine)}
	} else if err != nil {
		return nil, err
	}
	return entries, nil
}

// parseLine tells "first - last" from a duration by what the last word begins with.
func parseLine(text string, usual time.Duration) (Entry, error) {
	if i := strings.LastIndexAny(text, " \t"); i >= 0 {
		word := text[i+1:]
		before := strings.TrimRight(text[:i], " \t")
		if d, err := ParseFor(word); err == nil {
			text, usual = before, d
		} else if !strings.Contains(text, "-") {
			return Entry{}, err
		}
	}
	s, err := ParseSpan(text)
	return Entry{s, usual}, err
}
