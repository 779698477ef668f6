package policy

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func TestFormat(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"only blank lines", "\n  \n\t\n", ""},
		{"indentation and alignment",
			"policy   \"web\"{\nports=[443]\n    path   =   \"input\"\n}",
			"policy \"web\" {\n  ports = [443]\n  path  = \"input\"\n}\n"},
		{"nested blocks",
			"policy \"web\" {\nconnection_limit {\nmax=5\n}\n}\n",
			"policy \"web\" {\n  connection_limit {\n    max = 5\n  }\n}\n"},
		{"blocks on one line stay there",
			"tcpguard {required_version=\">= 0.1\"}\n",
			"tcpguard { required_version = \">= 0.1\" }\n"},
		{"comments stay and line up",
			"#  first  \nlocals { // second\na = 1 # third\t \nlong = 2 /* fourth */\n}\n# last",
			"#  first\nlocals {   // second\n  a    = 1 # third\n  long = 2 /* fourth */\n}\n# last\n"},
		{"comments of several lines", "/* one  \r\n   two\t\n*/\nlocals {}\n", "/* one\n   two\n*/\nlocals {}\n"},
		{"CRLF", "locals {\r\n  a = 1 # x\r\n\r\n}\r\n", "locals {\n  a = 1 # x\n\n}\n"},
		{"blank lines at the end", "locals {}\n\n\n", "locals {}\n"},
		{"blank lines between blocks stay", "\nlocals {}\n\n\nlocals {}\n", "\nlocals {}\n\n\nlocals {}\n"},
		{"blanks at the ends of lines", "locals {  \n  a = 1\t\n   \n}  ", "locals {\n  a = 1\n\n}\n"},
		{"strings keep their blanks", "locals { a = \"  x  \\t\" }\n", "locals { a = \"  x  \\t\" }\n"},
		{"heredocs keep theirs",
			"locals {\na = <<EOT\n  two  \n\tthree\nEOT\n}\n",
			"locals {\n  a = <<EOT\n  two  \n\tthree\nEOT\n}\n"},
		{"heredocs keep their carriage returns",
			"locals {\r\na = <<EOT\r\none\r\nEOT\r\n}\r\n",
			"locals {\n  a = <<EOT\none\r\nEOT\n}\n"},
		{"lists over several lines", "locals {\na = [\n1,\n2,\n]\n}\n", "locals {\n  a = [\n    1,\n    2,\n  ]\n}\n"},
		{"operators", "locals { a=1+2*-3>=4&&!true?var.x[0]:b.c }\n", "locals { a = 1 + 2 * -3 >= 4 && !true ? var.x[0] : b.c }\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src := []byte(test.in)
			got, diags := Format("web.hcl", src)
			if string(src) != test.in {
				t.Errorf("the source was changed to %q", src)
			}
			if len(diags) > 0 || string(got) != test.want {
				t.Errorf("got  %q\nwant %q (%v)", got, test.want, diags)
			}
			again, _ := Format("web.hcl", got)
			if !bytes.Equal(again, got) {
				t.Errorf("formatted twice: %q", again)
			}
		})
	}
}

func TestFormatLeavesJSONAlone(t *testing.T) {
	src := "{\"locals\" :\r\n {\"a\":1}}"
	if got, diags := Format("web.hcl.json", []byte(src)); string(got) != src || len(diags) > 0 {
		t.Errorf("got %q, %v", got, diags)
	}
	if got, diags := Format("web.hcl.json", []byte("{")); got != nil || !diags.HasErrors() {
		t.Errorf("broken JSON gives %q, %v", got, diags)
	}
}

func TestFormatOfABrokenFileIsADiagnostic(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a block that does not close", "locals {\n  a = 1\n", "web.hcl:1,8: Unclosed configuration block"},
		{"no value", "locals {\n  a =\n}\n", "web.hcl:2,6: Invalid expression"},
		{"not UTF-8", "locals { a = \"\xff\" }\n", "web.hcl:1,15: Invalid character encoding"},
		{"too deep", "a = " + strings.Repeat("[", 300), "File too complex"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, diags := Format("web.hcl", []byte(test.in))
			if got != nil || !diags.HasErrors() || !strings.Contains(diags[0].Error(), test.want) {
				t.Errorf("got %q, %v, want %q", got, diags, test.want)
			}
		})
	}
}

// FuzzFormat holds that formatting keeps every value, is done after one time, and leaves no blanks behind.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{
		"policy \"web\" {\nports=[80,\n443]\n\n  connection_limit { max = var.m } # c\n}\n",
		"a = <<-EOT\n    x ${ b } y\r\n  z\n   EOT\n", "a = <<EOT\n%{ if true ~}\n 1\n%{ endif }\nEOT\r\n",
		"a = { b : 1, \"c\" = [for x in y : x if x > -1] }", "a = x.0.1\nb = x[*].y\nc = x.*.y\n", "a = 1 /* x */ + 2\n",
		"# x  \r\n// y\n/* z \r\n */ a = f(1, 2...)\n", "a = \"${~ \"x\" ~}\"\n", "locals{}", "\ufeffa = 1", "a = b ? - 1 : ! c\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<12 {
			return
		}
		once, diags := Format("f.hcl", src)
		if diags.HasErrors() {
			return
		}
		twice, diags := Format("f.hcl", once)
		if diags.HasErrors() || !bytes.Equal(once, twice) {
			t.Fatalf("%q is formatted as %q and then as %q, %v", src, once, twice, diags)
		}
		if before, after := valuesOf(t, src), valuesOf(t, once); before != after {
			t.Fatalf("%q is formatted as %q:\n%s\n%s", src, once, before, after)
		}
		if len(once) > 0 && (once[len(once)-1] != '\n' || bytes.HasSuffix(once, []byte("\n\n"))) {
			t.Errorf("%q is formatted as %q, which does not end in one line break", src, once)
		}
	})
}

// valuesOf describes a parsed file apart from its layout: blocks, labels, and what each expression is worth where
// every name stands for the same unknown value.
func valuesOf(t *testing.T, src []byte) string {
	t.Helper()
	file, diags := hclsyntax.ParseConfig(src, "f.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%q does not parse: %v", src, diags)
	}
	var b strings.Builder
	describeBody(&b, file.Body.(*hclsyntax.Body))
	return b.String()
}

func describeBody(b *strings.Builder, body *hclsyntax.Body) {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}}
	for _, a := range body.Attributes {
		for _, traversal := range a.Expr.Variables() {
			ctx.Variables[traversal.RootName()] = cty.StringVal("v")
		}
	}
	var names []string
	for name := range body.Attributes {
		names = append(names, name)
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		value, diags := body.Attributes[name].Expr.Value(ctx)
		b.WriteString(name + " = " + value.GoString())
		for _, d := range diags {
			b.WriteString(" " + d.Summary)
		}
		b.WriteByte('\n')
	}
	for _, block := range body.Blocks {
		b.WriteString(block.Type + " " + strings.Join(block.Labels, " ") + " {\n")
		describeBody(b, block.Body)
		b.WriteString("}\n")
	}
}
