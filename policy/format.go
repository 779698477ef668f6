package policy

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format gives the canonical form of a native policy file, which the name is only used to speak of: two blanks of
// indentation a level, equal signs aligned, lines that end in LF without blanks before it, one line break at the end.
// Formatting twice changes nothing more. The text of strings and heredocs stays byte for byte, so the file means what
// it did. A file whose name ends in .json is checked and comes back as it is: as with Terraform, only the native syntax
// has a canonical form. A syntax error gives no text and Diagnostics that say where it is.
func Format(name string, src []byte) ([]byte, Diagnostics) {
	l := newLoader(Options{})
	s := l.parse(name, src)
	diags := l.report.finish()
	if s == nil || diags.HasErrors() {
		return nil, diags
	}
	if s.json {
		return src, diags
	}
	return formatNative(name, src), diags
}

// maxRounds bounds how often a text is laid out. Once is nearly always enough, but hclwrite measures columns before it
// moves the tokens of the same line, so now and then the second round still changes something.
const maxRounds = 8

// formatNative lays out a text that parses.
func formatNative(name string, src []byte) []byte {
	out := cleanLines(name, src)
	for range maxRounds {
		next := cleanLines(name, hclwrite.Format(out))
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	// The layout rests on tokens and knows no grammar. Should it ever join or part two of them, the file's own layout
	// is the better one.
	if !sameTokens(name, src, out) {
		return src
	}
	return out
}

// cleanLines takes carriage returns and trailing blanks off the ends of lines, and makes the file end in one line
// break. Heredocs keep theirs: they are part of a value.
func cleanLines(name string, src []byte) []byte {
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	out := make([]byte, 0, len(src)+1)
	end := 0 // of the last token, in src
	for _, t := range tokens {
		gap := src[end:t.Range.Start.Byte]
		end = t.Range.End.Byte
		text := t.Bytes
		switch t.Type {
		case hclsyntax.TokenEOF:
			gap = nil
		case hclsyntax.TokenNewline:
			gap, text = nil, []byte{'\n'}
		case hclsyntax.TokenOHeredoc:
			text = bytes.Replace(text, []byte("\r\n"), []byte{'\n'}, 1) // a copy: text is part of src
		case hclsyntax.TokenComment:
			text = cleanComment(text)
		}
		out = append(append(out, gap...), text...)
	}
	out = bytes.TrimRight(out, "\n")
	if len(out) > 0 {
		out = append(out, '\n')
	}
	return out
}

// cleanComment cleans the lines of a comment. The token of one that begins with # or // holds its line break too.
func cleanComment(text []byte) []byte {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		// Between */ and what follows on its line nothing is taken: only whole lines end in blanks.
		if i < len(lines)-1 || !strings.HasPrefix(lines[0], "/*") {
			lines[i] = strings.TrimRight(line, " \t\r")
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// sameTokens says whether two texts differ in nothing but layout: blanks, and line breaks at their ends.
func sameTokens(name string, a, b []byte) bool {
	x, y := significant(name, a), significant(name, b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].Type != y[i].Type || !bytes.Equal(x[i].Bytes, y[i].Bytes) {
			return false
		}
	}
	return true
}

// significant gives the tokens of a text with line breaks in one form and those at the end left out.
func significant(name string, src []byte) hclsyntax.Tokens {
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	for i := range tokens {
		switch t := &tokens[i]; t.Type {
		case hclsyntax.TokenNewline:
			t.Bytes = []byte{'\n'}
		case hclsyntax.TokenComment:
			t.Bytes = bytes.TrimRight(cleanComment(t.Bytes), "\n")
		case hclsyntax.TokenOHeredoc, hclsyntax.TokenCHeredoc:
			// Blanks before the closing word are layout also where the token holds them.
			t.Bytes = bytes.TrimSpace(t.Bytes)
		}
	}
	n := len(tokens)
	for n > 0 && (tokens[n-1].Type == hclsyntax.TokenEOF || tokens[n-1].Type == hclsyntax.TokenNewline) {
		n--
	}
	return tokens[:n]
}
