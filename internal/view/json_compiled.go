package view

import (
	"fmt"
	"strings"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/policy"
)

// list makes an absent list an empty one.
func list[T any](xs []T) []T { return append([]T{}, xs...) }

func listLen(l policy.List) int {
	if l.Addresses == nil {
		return 0
	}
	return l.Addresses.Len()
}

// Compiled is the document of show.
func (j *JSON) Compiled(c Compiled) error {
	type resource struct {
		Address    string               `json:"address"`
		Attributes reconcile.Attributes `json:"attributes"`
		Range      policy.Range         `json:"range"`
	}
	type setting struct {
		Address   string       `json:"address"`
		Key       string       `json:"key"`
		Bound     string       `json:"bound"`
		Value     string       `json:"value"`
		OnMissing string       `json:"on_missing"`
		OnRemove  string       `json:"on_remove"`
		Reason    string       `json:"reason"`
		Range     policy.Range `json:"range"`
	}
	type addresses struct {
		Address string       `json:"address"`
		Count   int          `json:"count"`
		Range   policy.Range `json:"range"`
	}
	doc := struct {
		header
		Resources   []resource         `json:"resources"`
		Sysctls     []setting          `json:"sysctls"`
		Lists       []addresses        `json:"lists"`
		Diagnostics policy.Diagnostics `json:"diagnostics"`
	}{head("compiled"), []resource{}, []setting{}, []addresses{}, j.diagnostics}
	for _, r := range c.Resources {
		attributes := reconcile.Attributes{}
		for _, a := range r.Attributes {
			attributes = append(attributes, reconcile.Attribute{Name: a.Name, Value: a.Value})
		}
		doc.Resources = append(doc.Resources, resource{r.Address, attributes, r.Range})
	}
	for _, s := range c.Settings {
		doc.Sysctls = append(doc.Sysctls, setting{
			fmt.Sprintf("sysctl[%q]", s.Key), s.Key, string(s.Bound), strings.Join(s.Want, " "), string(s.OnMissing), string(s.OnRemove), s.Reason, s.Range,
		})
	}
	for _, l := range c.Lists {
		doc.Lists = append(doc.Lists, addresses{l.Address(), listLen(l), l.Range})
	}
	return j.write(doc)
}
