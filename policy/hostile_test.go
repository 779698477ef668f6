package policy

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// chain writes n local values, each made from the one before, which step calls @.
func chain(first, step string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "locals {\n  a0 = %s\n", first)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  a%d = %s\n", i, strings.ReplaceAll(step, "@", fmt.Sprintf("local.a%d", i-1)))
	}
	b.WriteString("}\n")
	return b.String()
}

// hostile inputs are large, or make much of little. Each is met with an error or, where it is
// harmless, with a bundle.
var hostile = map[string]struct {
	source  string
	json    bool
	refused bool
}{
	"open parentheses":       {"locals { a = " + strings.Repeat("(", 1<<20), false, true},
	"nested parentheses":     {"locals { a = " + strings.Repeat("(", 1<<14) + "1" + strings.Repeat(")", 1<<14) + " }", false, true},
	"mismatched brackets":    {"locals { a = " + strings.Repeat("[)", 1<<14), false, true},
	"unary operators":        {"locals { a = " + strings.Repeat("-", 1<<16) + "1 }", false, true},
	"sums":                   {"locals { a = 1" + strings.Repeat("+1", 1<<13) + " }", false, true},
	"conditions":             {"locals { a = " + strings.Repeat("true ? 1 : ", 1<<12) + "1 }", false, true},
	"indexes":                {"locals { a = [1]" + strings.Repeat("[0]", 1<<13) + " }", false, true},
	"attributes":             {"locals { a = var" + strings.Repeat(".a", 1<<13) + " }", false, true},
	"splats":                 {"locals { a = []" + strings.Repeat("[*]", 1<<12) + " }", false, true},
	"blocks in blocks":       {strings.Repeat("a {\n", 1<<13), false, true},
	"templates in templates": {"locals { a = " + strings.Repeat(`"${`, 1<<13), false, true},
	"template directives":    {"locals { a = \"" + strings.Repeat("%{ if true }", 1<<12) + "\" }", false, true},
	"heredoc directives":     {"locals {\na = <<E\n" + strings.Repeat("%{ if true }\n", 1<<12) + "E\n}", false, true},
	"long list":              {"locals { a = [" + strings.Repeat("1,", 1<<13) + "] }", false, false},
	"mixed list":             {"locals { a = true ? [" + strings.Repeat(`1,"a",`, 1<<13) + "] : [] }", false, true},
	"mixed list of any":      {"variable \"a\" {\n type = list(any)\n default = [" + strings.Repeat(`1,"a",`, 1<<13) + "]\n}", false, true},
	"wrong ports":            {"policy \"a\" { ports = [" + strings.Repeat("0,", 1<<13) + "] }", false, true},
	"unknown blocks":         {strings.Repeat("b {}\n", 1<<11), false, true},
	"one name":               {strings.Repeat("policy \"a\" { ports = [1] }\n", 1<<11), false, true},
	"zero bytes":             {strings.Repeat("\x00", 1<<15), false, true},
	"quotes":                 {strings.Repeat("\"", 1<<15), false, true},
	"comment":                {"#" + strings.Repeat("(", 1<<14), false, false},
	"many digits":            {"locals { a = " + strings.Repeat("9", 1<<15) + " }", false, true},
	"many digits in text":    {"locals { a = \"" + strings.Repeat("9", 1<<15) + "\" + 1 }", false, true},
	"binary exponent":        {`locals { a = format("%d", "1p2000000000") }`, false, true},
	"infinity":               {`locals { a = "Inf" - "Inf" }`, false, true},
	"infinite port":          {`policy "a" { ports = [1/0] }`, false, true},
	"joined exponent":        {`locals { a = ceil(join("", ["1e9", "99999999"])) }`, false, true},
	"product":                {chain("1e400", "@ * @", 60), false, true},
	"text doubling":          {chain(`"xxxxxxxxxxxxxxxx"`, `"${@}${@}"`, 60), false, true},
	"list doubling":          {chain("[1]", "[@, @]", 60), false, true},
	"concat doubling":        {chain("[1]", "concat(@, @)", 60), false, true},
	"flatten doubling":       {chain("[1]", "flatten([@, @])", 60), false, true},
	"join doubling":          {chain(`"x"`, `join(@, [@, @, @])`, 60), false, true},
	"format doubling":        {chain(`"x"`, `format("%s%s%s", @, @, @)`, 60), false, true},
	"map doubling":           {chain(`{a = 1}`, `merge({x = @}, {y = @})`, 60), false, true},
	"loops in loops":         {"locals { a = split(\"\", format(\"%999s\", \"\")) }\nlocals { b = [for x in local.a : [for y in local.a : [for z in local.a : 1]]] }", false, true},
	"loop over loops":        {"locals { a = " + strings.Repeat("[for x in ", 40) + "[1]" + strings.Repeat(" : [x, x]]", 40) + " }", false, true},
	"long chain":             {chain("1", "@ + 1", maxLocals), false, false},
	"too many locals":        {chain("1", "1", maxLocals+1), false, true},
	"dynamic policies":       {"locals { a = split(\"\", format(\"%999s\", \"\")) }\ndynamic \"policy\" {\n for_each = local.a\n labels = [\"p${policy.key}\"]\n content {\n ports = [policy.key + 1]\n dynamic \"rate_limit\" {\n for_each = local.a\n content { rate = \"1/s\" }\n}\n}\n}", false, true},
	"type":                   {"variable \"a\" { type = " + strings.Repeat("list(", 100) + "any" + strings.Repeat(")", 100) + " }", false, true},
	"JSON arrays":            {`{"locals": {"a": ` + strings.Repeat("[", 1<<16), true, true},
	"JSON objects":           {strings.Repeat(`{"a":`, 1<<13), true, true},
	"JSON numbers":           {`{"locals": {"a": [` + strings.Repeat("1,", 1<<13) + `1]}}`, true, false},
	"JSON exponent":          {`{"locals": {"a": 1E+0999999999}}`, true, true},
	"JSON template":          {`{"locals": {"a": "${` + strings.Repeat("[", 1<<13) + `"}}`, true, true},
	"JSON key":               {`{"locals": {"a": {"${` + strings.Repeat("(", 1<<13) + `": 1}}}`, true, true},
	"JSON type":              {`{"variable": {"a": {"type": "` + strings.Repeat("list(", 1<<12) + `"}}}`, true, true},
	"JSON templates":         {`{"locals": {"a": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "b": "` + strings.Repeat("${local.a}", 1<<11) + `", "c": "` + strings.Repeat("${local.b}", 1<<11) + `"}}`, true, true},
	"JSON text":              {`"` + strings.Repeat(`\u0041`, 1<<13), true, true},
}

// processTime is the time this process has spent on a processor, which a loaded machine does not change.
func processTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestHostile holds that no input makes Load take long or much memory. The bounds leave room for the race detector;
// what they are there to find takes minutes and gigabytes.
func TestHostile(t *testing.T) {
	const maxTime, maxAlloc = 10 * time.Second, 1 << 30 // with a fraction of the work allowed, to keep the test short
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			file := "a.hcl"
			if c.json {
				file += ".json"
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := processTime(t)
			_, diags := loadText(file, c.source, maxWork/40)
			took := processTime(t) - start
			runtime.ReadMemStats(&after)
			alloc := after.TotalAlloc - before.TotalAlloc
			t.Logf("%s, %d MiB", took, alloc>>20)
			if took > maxTime || alloc > maxAlloc {
				t.Errorf("took %s and %d MiB", took, alloc>>20)
			}
			if diags.HasErrors() != c.refused {
				t.Errorf("refused: %t, want %t\n%.2000s", !c.refused, c.refused, render(diags))
			}
			if len(diags) > 2*maxErrors {
				t.Errorf("%d diagnostics", len(diags))
			}
		})
	}
}
