package report

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write testdata/outline.golden anew")

// recorded is a real drill of examples/policies/web-edge.hcl.
func recorded(t *testing.T) *Document {
	t.Helper()
	text, err := os.ReadFile("testdata/drill.json")
	if err != nil {
		t.Fatal(err)
	}
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

func render(t *testing.T, d *Document) string {
	t.Helper()
	var b strings.Builder
	if err := d.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// void are the elements that have no end.
var void = []string{"meta", "link", "br", "img"}

// outline reads a page strictly: every element is closed, where it belongs. It gives the headings, the headers of
// tables and how many marks each drawing has.
func outline(t *testing.T, page string) string {
	t.Helper()
	var b strings.Builder
	var open []string
	marks, text := map[string]int{}, ""
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) || len(open) > 0 {
				t.Fatalf("page ends with %v, open: %q", z.Err(), open)
			}
			return b.String()
		case html.TextToken:
			text += string(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			text = ""
			if tok.Data == "svg" {
				clear(marks)
				for _, a := range tok.Attr {
					if a.Key == "aria-label" {
						fmt.Fprintf(&b, "  svg %s\n", a.Val)
					}
				}
			}
			for _, a := range tok.Attr {
				if a.Key == "class" && strings.HasPrefix(a.Val, "dot-") {
					marks[a.Val]++
				}
			}
			if kind == html.StartTagToken && !slices.Contains(void, tok.Data) {
				open = append(open, tok.Data)
			}
		case html.EndTagToken:
			name := z.Token().Data
			if len(open) == 0 || open[len(open)-1] != name {
				t.Fatalf("</%s> closes %q", name, open)
			}
			open = open[:len(open)-1]
			switch {
			case name == "h2" || name == "strong" || name == "summary":
				fmt.Fprintf(&b, "%s %s\n", name, text)
			case name == "th" && len(open) > 1 && open[len(open)-2] == "thead":
				fmt.Fprintf(&b, "  th %s\n", text)
			case name == "svg" && len(marks) > 1:
				fmt.Fprintf(&b, "    %d marks with, %d without\n", marks["dot-with"], marks["dot-without"])
			}
		}
	}
}

func TestPage(t *testing.T) {
	page := render(t, recorded(t))
	got := outline(t, page)
	const golden = "testdata/outline.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the page is made up of\n%s\nwant\n%s", got, want)
	}
}

// TestPageNeedsNothing holds that the page loads nothing from anywhere and runs nothing.
func TestPageNeedsNothing(t *testing.T) {
	page := render(t, recorded(t))
	for _, forbidden := range []string{"<script", "http://", "https://", "src=", "<link", "@import", "url(", "ZgotmplZ", "NaN", "%!"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page contains %q", forbidden)
		}
	}
}

// TestPageEscapes gives names that would be markup.
func TestPageEscapes(t *testing.T) {
	d := recorded(t)
	d.Setup.PolicyFiles = []string{"<script>alert(1)</script>.hcl"}
	d.Notes = []string{"<b>&"}
	page := render(t, d)
	if strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;b&gt;&amp;") {
		t.Error("a name became markup")
	}
}

// TestPageOfLittle shows drills that ended early or found nothing.
func TestPageOfLittle(t *testing.T) {
	empty := New(recorded(t).Started)
	skipped := New(empty.Started)
	skipped.Scenarios = []Scenario{{Name: "rotating-64", Title: "SYN flood, rotating /64", Skipped: "no service has an IPv6 address"}}
	unserved := recorded(t)
	unserved.Interrupted = true
	unserved.Scenarios = unserved.Scenarios[:1]
	unserved.Scenarios[0].With.Judged = Result{Requests: 3, Lost: 3, Success: new(float64)}
	for name, want := range map[*Document]string{
		empty: "Nothing was measured.", skipped: "no service has an IPv6 address", unserved: "none served",
	} {
		page := render(t, name)
		outline(t, page)
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestJSONHasNoNullArray holds that programs may walk every array without asking.
func TestJSONHasNoNullArray(t *testing.T) {
	var b strings.Builder
	d := recorded(t)
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	recordedText, err := os.ReadFile("testdata/drill.json")
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(recordedText) {
		t.Error("a document that is read and written again is another one: its fields changed without testdata/drill.json")
	}
	b.Reset()
	if err := New(d.Started).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("null in %s", &b)
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := recorded(t).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"served without", "hoarding", "not met: legit>=99 in ", recorded(t).Verdict().Headline} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, &b)
		}
	}
}
