package rooms

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noImports makes the type checker skip what other packages declare; a package's own names still resolve.
type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not needed") }

// mutations gives the places where functions of a package change its package-level variables. An init function may
// not either: a table is written where it is declared.
func mutations(fset *token.FileSet, files []*ast.File) []string {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}}
	p, _ := config.Check("p", fset, files, info) // errors: every imported name is unknown

	var found []string
	report := func(target ast.Expr) {
		id := root(target)
		if id == nil {
			return
		}
		if v, ok := info.Uses[id].(*types.Var); ok && v.Parent() == p.Scope() {
			found = append(found, fmt.Sprintf("%s: package-level %s is changed", fset.Position(target.Pos()), id.Name))
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, target := range n.Lhs {
					report(target)
				}
			case *ast.IncDecStmt:
				report(n.X)
			}
			return true
		})
	}
	return found
}

// root gives the variable that x.y[z] is part of.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func TestNoMutablePackageState(t *testing.T) {
	for _, p := range list(t, "./...") {
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		for _, m := range mutations(fset, files) {
			t.Error(m)
		}
	}
}

func TestMutationIsFound(t *testing.T) {
	const src = `package p
import "strings"
var table = map[string]int{"a": 1}
var n int
var b strings.Builder
func reads() int { n := n; n++; return n + table["a"] }
func writes() { n++; table["b"] = 2; (n) = 3 }
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := mutations(fset, []*ast.File{f}); len(got) != 3 {
		t.Errorf("found %q, want the three in writes", got)
	}
}

// maxLines is where a file holds more than one idea.
const maxLines = 400

func TestFilesAreShort(t *testing.T) {
	for _, p := range list(t, "./...") {
		names, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(string(content), "\n")
			if strings.Contains(head, "DO NOT EDIT") {
				continue
			}
			if n := bytes.Count(content, []byte("\n")); n > maxLines {
				t.Errorf("%s has %d lines: split it by idea, %d at most", name, n, maxLines)
			}
		}
	}
}
