package fault

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryCallIsListed walks the module's sources: each fault.Point call must use one of this package's constants,
// each constant must be listed by Points, and each listed point must be passed somewhere, or a test that iterates over
// Points would prove less than it says.
func TestEveryCallIsListed(t *testing.T) {
	constants := declared(t)
	listed := map[Name]bool{}
	for _, p := range Points() {
		if listed[p] {
			t.Errorf("%q is listed twice", p)
		}
		listed[p] = true
	}
	for ident, value := range constants {
		if !listed[value] {
			t.Errorf("%s (%q) is not in Points", ident, value)
		}
	}
	passed := map[string]bool{}
	for _, c := range calls(t, filepath.Join("..", "..")) {
		if _, ok := constants[c.ident]; !ok {
			t.Errorf("%s: fault.Point(%s) does not use a constant of package fault", c.place, c.ident)
		}
		passed[c.ident] = true
	}
	for ident := range constants {
		if !passed[ident] {
			t.Errorf("nothing passes fault.Point(fault.%s)", ident)
		}
	}
}

// declared gives the constants of type Name in this package.
func declared(t *testing.T) map[string]Name {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Name{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			found[spec.Names[0].Name] = Name(strings.Trim(lit.Value, `"`))
		}
		return true
	})
	if len(found) == 0 {
		t.Fatal("no constants found")
	}
	return found
}

type call struct{ ident, place string }

// calls gives every fault.Point call below root, with the constant it names ("" when it names none).
func calls(t *testing.T, root string) []call {
	t.Helper()
	var found []call
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // the compiler says it better
		}
		ast.Inspect(file, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if ok && isSelector(c.Fun, "fault", "Point") && len(c.Args) == 1 {
				found = append(found, call{ident: constant(c.Args[0]), place: files.Position(c.Pos()).String()})
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

func constant(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok && isSelector(e, "fault", s.Sel.Name) {
		return s.Sel.Name
	}
	return ""
}
