package addrset

import (
	"bytes"
	"fmt"
	"io"
)

// Limits bound what Parse accepts. A field that is zero takes its value from DefaultLimits.
type Limits struct {
	Bytes   int64 // most bytes of input
	Entries int   // most entries, duplicates included
	Line    int   // most bytes in a line, its comment included; at most MaxLine
}

// MaxLine is the longest line that any Limits can allow, in bytes.
const MaxLine = bufferLen - 2

// DefaultLimits leaves room for eight times the million entries of a large list: 256 MiB, 8,388,608 entries, lines
// of 4096 bytes.
func DefaultLimits() Limits { return Limits{Bytes: 256 << 20, Entries: 8 << 20, Line: 4096} }

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.Bytes <= 0 {
		l.Bytes = d.Bytes
	}
	if l.Entries <= 0 {
		l.Entries = d.Entries
	}
	if l.Line <= 0 {
		l.Line = d.Line
	}
	l.Line = min(l.Line, MaxLine)
	return l
}

// ParseError is a mistake in a list file.
type ParseError struct {
	Line   int    // from 1
	Column int    // from 1, in bytes; 0 when the whole line or file is meant
	Text   string // the entry that is wrong, cut to 64 bytes; may be empty
	Reason string // what is wrong, lower case, no full stop
}

// Error gives `line 3, column 1: "10.0.0.1/24": host bits are set, the prefix is 10.0.0.0/24`.
func (e *ParseError) Error() string {
	where := fmt.Sprintf("line %d", e.Line)
	if e.Column > 0 {
		where += fmt.Sprintf(", column %d", e.Column)
	}
	if e.Text != "" {
		where += fmt.Sprintf(": %q", e.Text)
	}
	return where + ": " + e.Reason
}

const (
	bufferLen    = 64 << 10 // the read buffer; larger ones are not faster
	maxIdleReads = 100      // empty reads in a row before a reader counts as broken, as in bufio
)

// Parse reads a list: one address, prefix or "first-last" range a line, IPv4 or IPv6. Blank lines and what follows
// a # are skipped; lines end in LF or CRLF; a UTF-8 byte order mark is skipped. The first mistake ends the reading
// with a *ParseError; other errors are those of r. It holds one buffer and the addresses, never the text.
func Parse(r io.Reader, limits Limits) (*Set, error) {
	p := parser{limits: limits.withDefaults()}
	if err := p.read(r); err != nil {
		return nil, err
	}
	return p.builder.Build(), nil
}

type parser struct {
	limits  Limits
	builder Builder
	line    int
	entries int
}

// read cuts the input into lines.
func (p *parser) read(r io.Reader) error {
	buf := make([]byte, bufferLen)
	var start, end int // the part of buf that is read and not yet parsed
	var total int64
	for idle := 0; ; {
		n, err := r.Read(buf[end:])
		end += n
		if idle++; n > 0 || err != nil {
			idle = 0
		} else if idle > maxIdleReads {
			return fmt.Errorf("line %d: read: %w", p.line+1, io.ErrNoProgress)
		}
		if total += int64(n); total > p.limits.Bytes {
			return &ParseError{Line: p.line + 1, Reason: fmt.Sprintf("the list is longer than %d bytes", p.limits.Bytes)}
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("line %d: read: %w", p.line+1, err)
		}
		for {
			length := bytes.IndexByte(buf[start:end], '\n')
			if length < 0 {
				break
			}
			if err := p.parseLine(buf[start : start+length]); err != nil {
				return err
			}
			start += length + 1
		}
		if err == io.EOF {
			if start < end {
				return p.parseLine(buf[start:end])
			}
			return nil
		}
		// One byte more than the limit may be a carriage return, which parseLine takes off.
		if end-start > p.limits.Line+1 {
			return p.tooLong()
		}
		if start > 0 {
			end = copy(buf, buf[start:end])
			start = 0
		}
	}
}

func (p *parser) tooLong() error {
	return &ParseError{Line: p.line + 1, Reason: fmt.Sprintf("the line is longer than %d bytes", p.limits.Line)}
}

// parseLine takes one line without its LF.
func (p *parser) parseLine(line []byte) error {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) > p.limits.Line {
		return p.tooLong()
	}
	if p.line == 0 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	p.line++
	if addr, n := parse4(line); n > 0 && n == len(line) {
		p.builder.addrs4.push(addr)
		return p.count()
	}
	// The slow path: anything but a bare IPv4 address.
	text := line
	if i := bytes.IndexByte(text, '#'); i >= 0 {
		text = text[:i]
	}
	text = bytes.TrimRight(text, blanks)
	column := len(text) - len(bytes.TrimLeft(text, blanks))
	if text = text[column:]; len(text) == 0 {
		return nil
	}
	if bad := p.builder.addText(text); bad != nil {
		return &ParseError{Line: p.line, Column: column + bad.offset + 1, Text: cut(text), Reason: bad.reason}
	}
	return p.count()
}

// count bounds the entries.
func (p *parser) count() error {
	if p.entries++; p.entries > p.limits.Entries {
		return &ParseError{Line: p.line, Reason: fmt.Sprintf("the list has more than %d entries", p.limits.Entries)}
	}
	return nil
}

// maxText bounds the part of a wrong entry that an error repeats. The longest right one, a range of two IPv6
// addresses, has 79 bytes, but what is wrong shows in less.
const maxText = 64

func cut(text []byte) string {
	if len(text) > maxText {
		return string(text[:maxText]) + "..."
	}
	return string(text)
}
