package policy

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// reportHCL takes over what hcl itself found wrong.
func (l *loader) reportHCL(diags hcl.Diagnostics) {
	for _, d := range diags {
		detail := d.Detail
		if unknown, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); ok && unknown.CalledFunctionNamespace() == "" {
			name := unknown.CalledFunctionName()
			detail = fmt.Sprintf("There is no function named %q.%s The functions are: %s.",
				name, didYouMean(name, l.functionNames), strings.Join(l.functionNames, ", "))
		}
		var rng hcl.Range
		if d.Subject != nil {
			rng = *d.Subject
		}
		if d.Severity == hcl.DiagWarning {
			l.report.warnAt(rng, d.Summary, detail)
		} else {
			l.report.errorAt(rng, d.Summary, detail)
		}
	}
}

// content decodes a body by its schema, and tells of what the schema does not know with the nearest name it knows.
func (l *loader) content(body hcl.Body, schema *hcl.BodySchema, where string) *hcl.BodyContent {
	content, diags := body.Content(schema)
	l.reportContent(diags, schema, where)
	return content
}

func (l *loader) reportContent(diags hcl.Diagnostics, schema *hcl.BodySchema, where string) {
	var arguments, blocks []string
	for _, a := range schema.Attributes {
		arguments = append(arguments, a.Name)
	}
	for _, b := range schema.Blocks {
		blocks = append(blocks, b.Type)
	}
	for _, d := range diags {
		if d.Subject == nil {
			continue
		}
		switch name := l.nameAt(*d.Subject); d.Summary {
		case "Unsupported argument":
			d.Summary = "Unknown argument"
			d.Detail = fmt.Sprintf("%s has no argument named %q.%s", where, name, nearestOrAll(name, arguments, blocks, "block"))
		case "Unsupported block type":
			d.Summary = "Unknown block"
			d.Detail = fmt.Sprintf("%s has no block named %q.%s", where, name, nearestOrAll(name, blocks, arguments, "argument"))
		case "Extraneous JSON object property":
			d.Summary = "Unknown property"
			d.Detail = fmt.Sprintf("%s has no argument or block named %q.%s", where, name, nearestOrAll(name, append(arguments, blocks...), nil, ""))
		case "Missing required argument":
			d.Summary = "Missing argument"
			d.Detail = fmt.Sprintf("%s needs the argument %s", where, afterArgument(d.Detail))
		}
	}
	l.reportHCL(diags)
}

// nearestOrAll suggests a name, says when it is one of the other kind, or lists what there is.
func nearestOrAll(name string, same, other []string, otherKind string) string {
	for _, o := range other {
		if o == name {
			return fmt.Sprintf(" There is a%s %s of that name.", map[bool]string{true: "n"}[otherKind == "argument"], otherKind)
		}
	}
	if text := didYouMean(name, same); text != "" {
		return text
	}
	if text := didYouMean(name, other); text != "" {
		return text
	}
	if len(same) == 0 {
		return ""
	}
	return fmt.Sprintf(" Expected %s.", oneOf(same))
}

// afterArgument takes the quoted name out of hcl's sentence about a missing argument.
func afterArgument(detail string) string {
	parts := strings.SplitN(detail, `"`, 3)
	if len(parts) < 3 {
		return detail
	}
	return fmt.Sprintf("%q.", parts[1])
}

// nameAt is the word a range covers in its file, without the quotes it has in JSON.
func (l *loader) nameAt(rng hcl.Range) string {
	file := l.report.files[rng.Filename]
	if file == nil || !rng.CanSliceBytes(file.Bytes) {
		return ""
	}
	return strings.Trim(string(rng.SliceBytes(file.Bytes)), `"`)
}
