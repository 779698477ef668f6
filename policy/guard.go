package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// What one file may hold. hcl's parsers and evaluators recurse and Go cannot recover from an exhausted stack, so
// nesting is bounded before they run; numbers are bounded because big.Float happily writes out 600 million digits.
const (
	maxDepth       = 250     // brackets, operators and template directives around one value
	maxTokens      = 1 << 20 // tokens in a file, as bound for memory: the lexer needs about 100 bytes for each
	maxProducts    = 1000    // multiplications and divisions in a file, which grow exponents
	maxDigits      = 100     // characters of a number
	maxExponent    = 400     // decimal exponent of a number
	maxTypeNesting = 16      // parentheses in a variable's type
)

// guardNative reports the first thing in a native file that no policy needs and that could exhaust the process.
func guardNative(src []byte, name string) (hcl.Range, string) {
	if n := roughTokens(src); n > maxTokens {
		return hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos},
			fmt.Sprintf("The file has more than %d words and signs; split it.", maxTokens)
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	return guardTokens(tokens)
}

// guardTemplate does the same for a template that a JSON string carries.
func guardTemplate(src string, rng hcl.Range) (hcl.Range, string) {
	tokens, _ := hclsyntax.LexTemplate([]byte(src), rng.Filename, rng.Start)
	if _, problem := guardTokens(tokens); problem != "" {
		return rng, problem
	}
	return hcl.Range{}, ""
}

// roughTokens bounds the number of tokens from above without making them: each word and each other sign is one.
func roughTokens(src []byte) int {
	n, inWord := 0, false
	for _, c := range src {
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			inWord = false
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c >= 0x80:
			if !inWord {
				n++
			}
			inWord = true
		default:
			n++
			inWord = false
		}
	}
	return n
}

// level is one open bracket: how it closes, and how many operators deep the expression in it is by now.
type level struct {
	closes    hclsyntax.TokenType
	separates bool // a line break ends an expression here
	operators int
}

// guardTokens bounds the depth of the syntax tree from above: every open bracket, and every operator since the last
// separator within it, adds a level at most.
func guardTokens(tokens hclsyntax.Tokens) (hcl.Range, string) {
	levels := []level{{separates: true}}
	depth, products := 0, 0
	for _, t := range tokens {
		top := &levels[len(levels)-1]
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			// A directive such as %{if} nests what follows it although its own braces close at once.
			if t.Type == hclsyntax.TokenTemplateControl {
				top.operators++
				depth++
			}
			levels = append(levels, level{closes: closing(t.Type), separates: t.Type == hclsyntax.TokenOBrace})
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			// A closing sign that fits nothing is a mistake for the parser to report; it closes nothing.
			if len(levels) > 1 && top.closes == t.Type {
				depth -= 1 + top.operators
				levels = levels[:len(levels)-1]
			}
		case hclsyntax.TokenComma:
			depth -= top.operators
			top.operators = 0
		case hclsyntax.TokenNewline:
			if top.separates {
				depth -= top.operators
				top.operators = 0
			}
		case hclsyntax.TokenNumberLit:
			if problem := guardNumber(string(t.Bytes)); problem != "" {
				return t.Range, problem
			}
		case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent:
			if products++; products > maxProducts {
				return t.Range, fmt.Sprintf("More than %d multiplications and divisions in one file.", maxProducts)
			}
			top.operators++
			depth++
		case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenComment, hclsyntax.TokenEqual:
		default: // operators, and signs that only a mistake puts here
			top.operators++
			depth++
		}
		if depth > maxDepth {
			return t.Range, fmt.Sprintf("Expressions and blocks are nested more than %d levels deep here.", maxDepth)
		}
	}
	return hcl.Range{}, ""
}

func closing(open hclsyntax.TokenType) hclsyntax.TokenType {
	switch open {
	case hclsyntax.TokenOBrace:
		return hclsyntax.TokenCBrace
	case hclsyntax.TokenOBrack:
		return hclsyntax.TokenCBrack
	case hclsyntax.TokenOParen:
		return hclsyntax.TokenCParen
	case hclsyntax.TokenOQuote:
		return hclsyntax.TokenCQuote
	case hclsyntax.TokenOHeredoc:
		return hclsyntax.TokenCHeredoc
	default:
		return hclsyntax.TokenTemplateSeqEnd
	}
}

// guardNumber refuses a number nobody means.
func guardNumber(text string) string {
	if len(text) > maxDigits {
		return fmt.Sprintf("A number of %d characters; at most %d are meaningful.", len(text), maxDigits)
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(text[i+1:])
		if err == nil && (exponent > maxExponent || exponent < -maxExponent) || err != nil && len(text) > i+5 {
			return fmt.Sprintf("The number %s is outside 1e-%d to 1e%d.", text, maxExponent, maxExponent)
		}
	}
	return ""
}

// guardJSON bounds nesting and numbers of a JSON file in one pass over its bytes.
func guardJSON(src []byte, name string) (hcl.Range, string) {
	pos := hcl.InitialPos
	depth, tokens := 0, 0
	at := func() hcl.Range {
		end := pos
		end.Byte++
		end.Column++
		return hcl.Range{Filename: name, Start: pos, End: end}
	}
	for i := 0; i < len(src); i++ {
		pos.Byte = i
		switch c := src[i]; {
		case c == '\n':
			pos.Line, pos.Column = pos.Line+1, 0
		case c == '"':
			end := jsonStringEnd(src, i)
			tokens++
			pos.Column += end - i
			i = end
		case c == '{' || c == '[':
			tokens++
			if depth++; depth > maxDepth {
				return at(), fmt.Sprintf("Values are nested more than %d levels deep here.", maxDepth)
			}
		case c == '}' || c == ']':
			depth = max(0, depth-1)
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(src) && strings.IndexByte("0123456789+-.eE", src[end]) >= 0 {
				end++
			}
			tokens++
			if problem := guardNumber(string(src[i:min(end, i+maxDigits+1)])); problem != "" {
				return at(), problem
			}
			pos.Column += end - 1 - i
			i = end - 1
		case c == ',' || c == ':':
			tokens++
		}
		if tokens > maxTokens {
			return at(), fmt.Sprintf("The file has more than %d values and signs; split it.", maxTokens)
		}
		pos.Column++
	}
	return hcl.Range{}, ""
}

// jsonStringEnd is the index of the quote that ends the string opening at start, or the last index.
func jsonStringEnd(src []byte, start int) int {
	for i := start + 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(src) - 1
}
