package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

const overlapping = `policy "web" {
	ports = [443]
	rate_limit { rate = "1/s" }
}
policy "api" {
	ports = [80, "400-500"]
	rate_limit { rate = "1/s" }
}
`

// TestWriteText holds how a diagnostic reads: the place, the line with the mistake underlined, what was expected.
func TestWriteText(t *testing.T) {
	_, diags := Load(write(t, map[string]string{"web.hcl": overlapping}))
	for name, c := range map[string]struct {
		width  int
		colour bool
		want   string
	}{
		"plain": {60, false, `Error: Policies overlap

  on web.hcl line 6, in policy "api":
   6: 	ports = [80, "400-500"]
      	             ^^^^^^^^^

The policies "web" and "api" both cover port 443/tcp on the
same interface, address and path; a connection belongs to
one policy.

  the other policy is declared on web.hcl line 2, in policy "web":
   2: 	ports = [443]
      	         ^^^

`},
		"colour": {0, true, "\x1b[31mError\x1b[0m: Policies overlap\n\n" +
			"  on web.hcl line 6, in policy \"api\":\n" +
			"   6: \tports = [80, \x1b[1;4m\"400-500\"\x1b[0m]\n\n" +
			"The policies \"web\" and \"api\" both cover port 443/tcp on the same interface, address and path; a connection belongs to one policy.\n\n" +
			"  the other policy is declared on web.hcl line 2, in policy \"web\":\n" +
			"   2: \tports = [\x1b[1;4m443\x1b[0m]\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := diags.WriteText(&b, c.width, c.colour); err != nil {
				t.Fatal(err)
			}
			if b.String() != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", b.String(), c.want)
			}
		})
	}
}

// TestWriteTextPlaces holds what is shown where there is little to show: a place behind the last character, a line in
// a file not kept in memory, a very long line, no file at all.
func TestWriteTextPlaces(t *testing.T) {
	opts := write(t, map[string]string{
		"a.hcl":  "list \"l\" { file = \"l.txt\" }\nlist \"m\" {\n  addresses = [",
		"l.txt":  "# ä\n 10.0.0.1/8\r\n",
		"b.json": `{"policy": {"web": {"ports": [` + strings.Repeat("1, ", 1000) + `0, ` + strings.Repeat("1, ", 1000) + `1]}}}`,
	})
	opts.Paths = []string{"a.hcl", "nowhere"}
	_, diags := Load(opts)
	opts.Paths = []string{"b.json"}
	_, more := Load(opts)
	var b strings.Builder
	if err := append(diags, more.Errors()...).WriteText(&b, 0, false); err != nil {
		t.Fatal(err)
	}
	want := `Error: Policy not found

Cannot read nowhere: no such file or directory.

Error: Missing expression

  on a.hcl line 3:
   3:   addresses = [
                     ^

Expected the start of an expression, but found the end of the file.

Error: Port out of range

  on b.json line 1, in policy.web.ports:
   1: ` + strings.Repeat(", 1", 16) + `, 0, ` + strings.Repeat("1, ", 49) + "\n" +
		strings.Repeat(" ", 6+50) + "^\n\n0 is outside the ports 1 to 65535.\n\n"
	if normal(b.String()) != normal(want) {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

// TestWriteTextHidesControls holds that a file cannot steer the terminal that shows its mistakes.
func TestWriteTextHidesControls(t *testing.T) {
	_, diags := Load(write(t, map[string]string{"a.hcl": "list \"l\" { addresses = [\"\x1b[2J\u202e\"] }\n"}))
	var b strings.Builder
	if err := diags.WriteText(&b, 0, false); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\u202e") || !strings.Contains(b.String(), "[\"\ufffd[2J\ufffd\"]") {
		t.Errorf("got %q", b.String())
	}
}

// normal drops trailing blanks, which a cut line may have.
func normal(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// TestDiagnosticsJSON holds the form that programs read.
func TestDiagnosticsJSON(t *testing.T) {
	_, diags := Load(write(t, map[string]string{"web.hcl": overlapping}))
	got, err := json.MarshalIndent(diags, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want := `[
  {
    "severity": "error",
    "summary": "Policies overlap",
    "detail": "The policies \"web\" and \"api\" both cover port 443/tcp on the same interface, address and path; a connection belongs to one policy.",
    "range": {
      "file": "web.hcl",
      "line": 6,
      "column": 15
    },
    "end": {
      "line": 6,
      "column": 24
    },
    "snippet": {
      "context": "policy \"api\"",
      "code": "\tports = [80, \"400-500\"]",
      "start_line": 6,
      "highlight_start": 14,
      "highlight_end": 23
    },
    "related": [
      {
        "message": "the other policy is declared",
        "range": {
          "file": "web.hcl",
          "line": 2,
          "column": 11
        },
        "end": {
          "line": 2,
          "column": 14
        },
        "snippet": {
          "context": "policy \"web\"",
          "code": "\tports = [443]",
          "start_line": 2,
          "highlight_start": 10,
          "highlight_end": 13
        }
      }
    ]
  }
]`
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if empty, err := json.Marshal(Diagnostics(nil)); err != nil || string(empty) != "[]" {
		t.Errorf("nothing to say is %s, %v", empty, err)
	}
}

// TestDiagnosticsError holds the one line that stands for all.
func TestDiagnosticsError(t *testing.T) {
	warning := Diagnostic{Severity: SeverityWarning, Summary: "W"}
	first := Diagnostic{Severity: SeverityError, Summary: "Bad", Detail: "Why.", Range: Range{"a.hcl", 3, 4}}
	for _, c := range []struct {
		diags Diagnostics
		want  string
		errs  bool
	}{
		{Diagnostics{warning}, "no errors", false},
		{Diagnostics{warning, first}, "a.hcl:3,4: Bad; Why.", true},
		{Diagnostics{first, warning, {Severity: SeverityError, Summary: "Worse"}}, "a.hcl:3,4: Bad; Why. (and 1 more)", true},
	} {
		if got := c.diags.Error(); got != c.want || c.diags.HasErrors() != c.errs || len(c.diags.Warnings()) != 1 {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
