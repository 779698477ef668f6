package enforcer

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WriteText prints a desired ruleset as `nft list table inet tcpguard` would, which is also what `nft -f` loads. It
// streams: a list of a million addresses takes no memory of its own.
func (r *Ruleset) WriteText(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	if !r.Exists {
		fmt.Fprintf(out, "# nothing declared needs a table\n")
		return out.Flush()
	}
	fmt.Fprintf(out, "table inet %s {\n", TableName)
	separator := ""
	block := func(write func()) {
		out.WriteString(separator)
		write()
		separator = "\n"
	}
	for _, c := range r.Counters {
		block(func() { fmt.Fprintf(out, "\tcounter %s {\n\t}\n", c.Name) })
	}
	for i := range r.Sets {
		block(func() { r.Sets[i].writeText(out) })
	}
	for i := range r.Chains {
		block(func() { r.Chains[i].writeText(out) })
	}
	fmt.Fprintf(out, "}\n")
	return out.Flush()
}

func (s *Set) writeText(out *bufio.Writer) {
	kind := "set"
	if s.Verdicts {
		kind = "map"
	}
	fmt.Fprintf(out, "\t%s %s {\n\t\ttype %s", kind, s.Name, keyTypesText(s.Key))
	if s.Verdicts {
		out.WriteString(" : verdict")
	}
	out.WriteString("\n")
	if s.Size > 0 {
		fmt.Fprintf(out, "\t\tsize %d\n", s.Size)
	}
	if flags := s.flagsText(); flags != "" {
		fmt.Fprintf(out, "\t\tflags %s\n", flags)
	}
	if s.Timeout > 0 {
		fmt.Fprintf(out, "\t\ttimeout %s\n", timeText(s.Timeout))
	}
	s.writeElements(out)
	out.WriteString("\t}\n")
}

func keyTypesText(key []KeyType) string {
	parts := make([]string, len(key))
	for i, k := range key {
		parts[i] = string(k)
	}
	return strings.Join(parts, " . ")
}

func (s *Set) flagsText() string {
	var flags []string
	if s.Interval {
		flags = append(flags, "interval")
	}
	if s.Dynamic {
		flags = append(flags, "dynamic")
	}
	if s.Timeout > 0 || s.Expires {
		flags = append(flags, "timeout")
	}
	return strings.Join(flags, ",")
}

func (s *Set) writeElements(out *bufio.Writer) {
	lead := "\t\telements = { "
	entry := func(text string) {
		out.WriteString(lead)
		out.WriteString(text)
		lead = ",\n\t\t\t     "
	}
	for _, e := range s.Elements {
		entry(e.text(s.Key))
	}
	if s.Members != nil {
		for text := range s.Members.Texts() {
			entry(text)
		}
	}
	if lead[0] == ',' {
		out.WriteString(" }\n")
	}
}

// timeText prints a duration as nft does: days, hours, minutes, seconds and milliseconds, zero parts left out.
func timeText(d time.Duration) string {
	var b strings.Builder
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / unit.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			d -= n * unit.size
		}
	}
	return b.String()
}

// priorityText is a base chain's priority as nft names it: relative to the standard priority it stands near.
func priorityText(p int32) string {
	for _, standard := range []struct {
		name string
		at   int32
	}{{"raw", -300}, {"filter", 0}} {
		if d := p - standard.at; d >= -10 && d <= 10 {
			switch {
			case d == 0:
				return standard.name
			case d < 0:
				return fmt.Sprintf("%s - %d", standard.name, -d)
			default:
				return fmt.Sprintf("%s + %d", standard.name, d)
			}
		}
	}
	return fmt.Sprint(p)
}

func (c *Chain) writeText(out *bufio.Writer) {
	fmt.Fprintf(out, "\tchain %s {\n", c.Name)
	if c.Hook != NoHook {
		fmt.Fprintf(out, "\t\ttype filter hook %s priority %s; policy accept;\n", c.Hook, priorityText(c.Priority))
	}
	for _, r := range c.Rules {
		fmt.Fprintf(out, "\t\t%s\n", r.text())
	}
	out.WriteString("\t}\n")
}

// Set gives the set of that name, or nil.
func (r *Ruleset) Set(name string) *Set {
	i, found := slices.BinarySearchFunc(r.Sets, name, func(s Set, name string) int { return strings.Compare(s.Name, name) })
	if !found {
		return nil
	}
	return &r.Sets[i]
}
