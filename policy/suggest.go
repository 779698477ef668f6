package policy

import (
	"fmt"
	"strings"
)

// nearest gives the candidate that a mistyped word most likely means, or "". A word may be wrong in a third of its
// letters, rounded up, but not in all of them: "polcy" and "pre" are near enough, an unrelated word is not.
func nearest(word string, candidates []string) string {
	if len(word) > 128 {
		return ""
	}
	word = strings.ToLower(word)
	best, bestDistance := "", min((len(word)+2)/3, len(word)-1)+1
	for _, c := range candidates {
		if d := distance(word, strings.ToLower(c), bestDistance+1); d < bestDistance || d == bestDistance && best != "" && c < best {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour that makes b of a, or
// limit when it is not below limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}

// didYouMean gives ` Did you mean "x"?` with a leading space, or "".
func didYouMean(word string, candidates []string) string {
	if n := nearest(word, candidates); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	return ""
}

// oneOf lists what was expected: `"a"`, `"a" or "b"`, `"a", "b" or "c"`.
func oneOf(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}
