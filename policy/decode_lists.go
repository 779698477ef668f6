package policy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/tcpguard/tcpguard/internal/addrset"
)

type listDecl struct {
	list  List
	block *hcl.Block // nil for an anonymous list
}

var listSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "addresses"}, {Name: "file"}, {Name: "description"}}}

// declareLists notes the names, so that expressions may refer to them before any list is read.
func (l *loader) declareLists(blocks hcl.Blocks) {
	for _, b := range blocks {
		name := b.Labels[0]
		if l.declare("list", name, b.LabelRanges[0]) {
			l.lists[name] = &listDecl{list: List{Name: name, Range: rangeOf(b.DefRange)}, block: b}
		}
	}
}

func (l *loader) fillLists() {
	for _, name := range sortedNames(l.lists) {
		d := l.lists[name]
		a := l.args(d.block.Body, listSchema, fmt.Sprintf("The list %q", name), "addresses", "file")
		a.text("description")
		switch {
		case a.has("file") && a.has("addresses"):
			l.report.errorAt(a.content.Attributes["file"].NameRange, "Two sources for a list", "A list has either addresses or a file.",
				place{"the other one", a.content.Attributes["addresses"].NameRange})
		case a.has("file"):
			if path, rng, ok := a.text("file"); ok {
				l.readList(d, path, rng)
			}
		case a.has("addresses"):
			d.list.Addresses = l.listAddresses(a)
		default:
			l.report.errorAt(d.block.DefRange, "Missing argument", fmt.Sprintf("The list %q needs the argument \"addresses\" or \"file\".", name))
		}
	}
}

// listAddresses reads the addresses written in a list block.
func (l *loader) listAddresses(a args) *addrset.Set {
	list, ok := a.texts("addresses", `["192.0.2.10", "2001:db8::/32"]`)
	if !ok {
		return nil
	}
	var b addrset.Builder
	for _, e := range list {
		l.addEntry(&b, e)
	}
	return b.Build()
}

// addEntry adds an address, prefix or range written as a string.
func (l *loader) addEntry(b *addrset.Builder, e element) {
	text := e.value.AsString()
	if strings.Contains(text, "/") {
		p, bad := parsePrefix(text)
		if bad != nil {
			l.report.errorAt(e.rng, bad.summary, bad.detail)
			return
		}
		_ = b.AddPrefix(p) // parsePrefix has refused what AddPrefix would
		return
	}
	if err := b.AddText(text); err != nil {
		l.report.errorAt(e.rng, "Not an address", fmt.Sprintf("%q is neither an address, a prefix nor a range: %s.", short(text), err))
	}
}

// readList reads a list file; its path is relative to the file that declares the list.
func (l *loader) readList(d *listDecl, path string, rng hcl.Range) {
	if path == "" {
		l.report.errorAt(rng, "List file not readable", "\"file\" must name a file.")
		return
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(rng.Filename), path)
	}
	d.list.File = path
	f, err := openRegular(path)
	if err != nil {
		summary := "List file not readable"
		if errors.Is(err, os.ErrNotExist) {
			summary = "List file missing"
		}
		l.report.errorAt(rng, summary, fmt.Sprintf("Cannot read %s: %s.", path, plainError(err)))
		return
	}
	defer func() { _ = f.Close() }()
	l.bundle.Files = append(l.bundle.Files, path)
	if info, err := f.Stat(); err == nil && info.Size() > l.opts.MaxListBytes {
		l.report.errorAt(rng, "List file too large", fmt.Sprintf("%s has %d bytes; at most %d are read.", path, info.Size(), l.opts.MaxListBytes))
		return
	}
	set, err := addrset.Parse(f, addrset.Limits{Bytes: l.opts.MaxListBytes, Entries: l.opts.MaxListEntries})
	if err != nil {
		l.reportList(path, rng, err)
		return
	}
	d.list.Addresses = set
}

// reportList points into the list file itself and at the declaration that made it be read.
func (l *loader) reportList(path string, rng hcl.Range, err error) {
	var pe *addrset.ParseError
	if !errors.As(err, &pe) {
		l.report.errorAt(rng, "List file not readable", fmt.Sprintf("Cannot read %s: %s.", path, plainError(err)))
		return
	}
	at := hcl.Range{Filename: path, Start: hcl.Pos{Line: pe.Line, Column: max(1, pe.Column)}}
	at.End = hcl.Pos{Line: pe.Line, Column: at.Start.Column + len(pe.Text)}
	summary, detail := "Bad line in list file", pe.Reason+"."
	if strings.HasPrefix(pe.Reason, "the list ") { // about the whole, not this line
		summary = "List file too large"
	}
	if pe.Text != "" {
		detail = fmt.Sprintf("%q: %s.", pe.Text, pe.Reason)
	}
	l.report.errorWithLine(at, l.lineOf(path, pe.Line), summary, detail, place{"the list is declared", rng})
}

// lineOf reads one line again, for it is not kept while parsing.
func (l *loader) lineOf(path string, line int) string {
	f, err := openRegular(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(io.LimitReader(f, l.opts.MaxListBytes), 64<<10)
	for n := 1; ; n++ {
		text, err := r.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) && n < line {
			_, err = r.ReadSlice('\n')
		}
		if n == line {
			return strings.TrimRight(string(text[:min(len(text), maxSnippet)]), "\r\n")
		}
		if err != nil {
			return ""
		}
	}
}

// listNames reads an argument that mixes lists and addresses. Addresses become an anonymous list.
func (l *loader) listNames(a args, policyName, argument string) (names []string, entries []element, ok bool) {
	all, _, ok := a.elements(argument, `[list.blocklist, "192.0.2.0/24"]`)
	if !ok {
		return nil, nil, false
	}
	seen := map[string]bool{}
	var b addrset.Builder
	for _, e := range all {
		switch {
		case e.value.IsNull():
			l.report.errorAt(e.rng, "Wrong type", fmt.Sprintf("%q holds lists and addresses; this is null.", argument))
		case e.value.Type() == listType:
			if name := e.value.EncapsulatedValue().(*listRef).name; !seen[name] {
				seen[name] = true
				names = append(names, name)
				entries = append(entries, e)
			}
		case e.value.Type() == cty.String:
			l.addEntry(&b, e)
			entries = append(entries, e)
		default:
			l.report.errorAt(e.rng, "Wrong type", fmt.Sprintf("%q holds lists and addresses, such as [list.blocklist, \"192.0.2.0/24\"]; this is %s.", argument, describe(e.value)))
		}
	}
	if b.Len() > 0 {
		name := policyName + "." + argument
		l.lists[name] = &listDecl{list: List{Name: name, Anonymous: true, Addresses: b.Build(), Range: rangeOf(a.rangeOf(argument))}}
		names = append(names, name)
	}
	return names, entries, true
}
