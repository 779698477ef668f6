package view

import (
	"bufio"
	"fmt"
	"strings"
)

// Compiled lists every resource with its values, then the sysctls and the lists.
func (t *Text) Compiled(c Compiled) error {
	b := bufio.NewWriter(t.out)
	for _, r := range c.Resources {
		writeColumns(b, "", 0, t.style.paint(bold, r.Address), r.Address, r.Range.String())
		for _, a := range r.Attributes {
			fmt.Fprintf(b, "    %s: %s\n", a.Name, a.Value)
		}
	}
	for _, s := range c.Settings {
		title := fmt.Sprintf("sysctl[%q]", s.Key)
		writeColumns(b, "", 0, t.style.paint(bold, title), title, s.Range.String())
		fmt.Fprintf(b, "    %s: %s\n", s.Bound, strings.Join(s.Want, " "))
		if s.Reason != "" {
			fmt.Fprintf(b, "    because: %s\n", s.Reason)
		}
	}
	for _, l := range c.Lists {
		writeColumns(b, "", 0, t.style.paint(bold, l.Address()), l.Address(), l.Range.String())
		fmt.Fprintf(b, "    %s\n", count(listLen(l), "address or range", "addresses and ranges"))
	}
	return b.Flush()
}
