package policy

import (
	"regexp"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// loader is one Load in progress.
type loader struct {
	opts          Options
	report        *reporter
	budget        *budget
	functions     map[string]function.Function
	functionNames []string
	scope         *scope
	metered       map[hclsyntax.Expression]struct{}
	bundle        *Bundle

	declared   map[string]hcl.Range // "policy web" to where it is declared
	variables  map[string]*variable
	lists      map[string]*listDecl
	defaults   settings
	management *managementDecl
	policies   []*policyDecl
	sysctls    map[string]*sysctlDecl
}

// Load reads, evaluates and checks everything that the options name. The bundle is complete only when the
// diagnostics have no errors; it is never nil. Warnings do not keep it from being used.
func Load(opts Options) (*Bundle, Diagnostics) {
	l := newLoader(opts)
	var sources []*source
	for _, path := range l.discover() {
		if s := l.parseFile(path); s != nil {
			sources = append(sources, s)
		}
		l.bundle.Files = append(l.bundle.Files, path)
	}
	l.load(sources)
	return l.bundle, l.report.finish()
}

func newLoader(opts Options) *loader {
	l := &loader{
		opts:      opts.withDefaults(),
		report:    &reporter{files: map[string]*hcl.File{}},
		budget:    &budget{left: maxWork},
		metered:   map[hclsyntax.Expression]struct{}{},
		bundle:    &Bundle{},
		declared:  map[string]hcl.Range{},
		variables: map[string]*variable{},
		lists:     map[string]*listDecl{},
		sysctls:   map[string]*sysctlDecl{},
		defaults:  builtinSettings(),
	}
	l.functions = functions(l.budget)
	l.functionNames = functionNames(l.functions)
	return l
}

// The blocks that expressions depend on are read first, all others once there are values to evaluate them with.
var (
	firstSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "tcpguard"}, {Type: "variable", LabelNames: []string{"name"}}, {Type: "locals"},
		{Type: "list", LabelNames: []string{"name"}},
	}}
	secondSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "management"}, {Type: "defaults"}, {Type: "policy", LabelNames: []string{"name"}},
		{Type: "capacity"}, {Type: "sysctl", LabelNames: []string{"key"}},
	}}
	rootSchema = &hcl.BodySchema{Blocks: append(append([]hcl.BlockHeaderSchema{}, firstSchema.Blocks...), secondSchema.Blocks...)}
)

const inFile = "A policy file"

// load is the pipeline: declarations, values, the rest, and what only shows in the whole.
func (l *loader) load(sources []*source) {
	blocks := map[string]hcl.Blocks{}
	remains := make([]hcl.Body, len(sources))
	for i, s := range sources {
		content, remain, diags := s.file.Body.PartialContent(firstSchema)
		l.reportContent(diags, rootSchema, inFile)
		remains[i] = remain
		collect(blocks, content)
	}
	l.requireVersion(blocks["tcpguard"])
	l.declareVariables(blocks["variable"])
	l.setVariables()
	l.declareLists(blocks["list"])
	l.buildScope(l.evalLocals(blocks["locals"]))
	l.fillLists()

	for i, s := range sources {
		body := remains[i]
		if !s.json {
			l.checkDynamic(s.file.Body)
			body = dynblock.Expand(body, l.scope.ctx)
		}
		content, diags := body.Content(secondSchema)
		l.reportContent(diags, rootSchema, inFile)
		collect(blocks, content)
	}
	l.decodeDefaults(blocks["defaults"])
	l.decodeManagement(blocks["management"])
	for _, b := range blocks["policy"] {
		l.decodePolicy(b)
	}
	l.decodeCapacity(blocks["capacity"])
	for _, b := range blocks["sysctl"] {
		l.decodeSysctl(b)
	}
	l.checkWhole()
	l.fillBundle()
}

func collect(into map[string]hcl.Blocks, content *hcl.BodyContent) {
	for _, b := range content.Blocks {
		into[b.Type] = append(into[b.Type], b)
	}
}

// fillBundle sorts what was declared into the result.
func (l *loader) fillBundle() {
	b := l.bundle
	for _, p := range l.policies {
		b.Policies = append(b.Policies, p.Policy)
	}
	for _, d := range l.lists {
		if d.list.Addresses != nil {
			b.Lists = append(b.Lists, d.list)
		}
	}
	for _, s := range l.sysctls {
		b.Sysctls = append(b.Sysctls, s.Sysctl)
	}
	sort.Slice(b.Policies, func(i, j int) bool { return b.Policies[i].Name < b.Policies[j].Name })
	sort.Slice(b.Lists, func(i, j int) bool { return b.Lists[i].Name < b.Lists[j].Name })
	sort.Slice(b.Sysctls, func(i, j int) bool { return b.Sysctls[i].Key < b.Sysctls[j].Key })
	if l.management != nil {
		b.Management = l.management.Management
	}
}

// buildScope makes everything that expressions may refer to.
func (l *loader) buildScope(locals map[string]cty.Value) {
	l.scope = l.newScope()
	l.scope.add("local", locals)
}

// newScope has variables, lists and the host, which locals may use.
func (l *loader) newScope() *scope {
	s := noScope(l.functions)
	s.names = map[string]map[string]bool{}
	vars := map[string]cty.Value{}
	for name, v := range l.variables {
		vars[name] = v.value
	}
	lists := map[string]cty.Value{}
	for name := range l.lists {
		lists[name] = cty.CapsuleVal(listType, &listRef{name})
	}
	interfaces := cty.ListValEmpty(cty.String)
	if names := l.opts.Facts.Interfaces; len(names) > 0 {
		values := make([]cty.Value, len(names))
		for i, name := range names {
			values[i] = cty.StringVal(name)
		}
		interfaces = cty.ListVal(values)
	}
	s.add("var", vars)
	s.add("list", lists)
	s.add("host", map[string]cty.Value{
		"name":       cty.StringVal(l.opts.Facts.Name),
		"cpus":       cty.NumberIntVal(int64(l.opts.Facts.CPUs)),
		"memory_mib": cty.NumberUIntVal(l.opts.Facts.MemoryMiB),
		"interfaces": interfaces,
	})
	return s
}

func (s *scope) add(root string, values map[string]cty.Value) {
	s.roots = append(s.roots, root)
	s.names[root] = map[string]bool{}
	for name := range values {
		s.names[root][name] = true
	}
	s.ctx.Variables[root] = cty.ObjectVal(values)
}

// blockWork is what a node of a dynamic block's content counts for in each round: decoding takes far more than
// evaluating alone.
const blockWork = 8

// checkDynamic checks and meters what hcl evaluates by itself when it expands dynamic blocks.
func (l *loader) checkDynamic(body hcl.Body) {
	native, ok := body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for _, b := range native.Blocks {
		l.checkDynamic(b.Body)
		each := b.Body.Attributes["for_each"]
		if b.Type != "dynamic" || each == nil {
			continue
		}
		nodes := int64(0)
		_ = hclsyntax.VisitAll(b.Body, func(hclsyntax.Node) hcl.Diagnostics { nodes += blockWork; return nil })
		if refs := each.Expr.Variables(); !inDynamic(refs, l.scope) && !l.scope.check(l.report, refs) {
			each.Expr = &hclsyntax.LiteralValueExpr{Val: cty.EmptyTupleVal, SrcRange: each.Expr.Range()}
			continue
		}
		each.Expr = l.budget.meter(each.Expr, nodes)
	}
}

// inDynamic says whether an expression uses the iterator of a dynamic block around it; hcl checks those.
func inDynamic(refs []hcl.Traversal, s *scope) bool {
	for _, t := range refs {
		if s.names[t.RootName()] == nil {
			return true
		}
	}
	return false
}

var namePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// declare notes a name; one that was used before is reported with both places.
func (l *loader) declare(kind, name string, rng hcl.Range) bool {
	if !namePattern.MatchString(name) {
		l.report.errorAt(rng, "Bad name", "A name begins with a letter, followed by at most 63 letters, digits, \"_\" or \"-\".")
		return false
	}
	return l.once(kind+" "+name, kind, "The "+kind+" \""+name+"\" is declared twice; a name stands for one thing.", rng)
}

func (l *loader) once(key, kind, detail string, rng hcl.Range) bool {
	if first, taken := l.declared[key]; taken {
		l.report.errorAt(rng, "Duplicate "+kind, detail, place{"first declared", first})
		return false
	}
	l.declared[key] = rng
	return true
}

// single gives the one block of a kind that may stand once; further ones are reported.
func (l *loader) single(blocks hcl.Blocks) *hcl.Block {
	var first *hcl.Block
	for _, b := range blocks {
		if l.once(b.Type, b.Type+" block", "There can be one "+b.Type+" block in all files together.", b.TypeRange) {
			first = b
		}
	}
	return first
}
