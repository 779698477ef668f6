package sysctl

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// span is a closed range of numbers in a list such as ip_local_reserved_ports.
type span struct{ first, last int64 }

// parseRanges reads a list as proc_do_large_bitmap does: numbers and ranges with commas between them. Fields are joined
// by commas, so ["8080", "9000-9010"] is one list. The result is sorted, and what touches is merged.
func parseRanges(fields []string) ([]span, error) {
	var spans []span
	for _, field := range fields {
		for _, item := range strings.Split(field, ",") {
			if item == "" {
				continue // the kernel allows a trailing comma
			}
			s, err := parseSpan(item)
			if err != nil {
				return nil, err
			}
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s.first <= merged[n-1].last+1 {
			merged[n-1].last = max(merged[n-1].last, s.last)
			continue
		}
		merged = append(merged, s)
	}
	return merged, nil
}

func parseSpan(item string) (span, error) {
	low, high, ranged := strings.Cut(item, "-")
	if !ranged {
		high = low
	}
	first, errFirst := strconv.ParseUint(low, 10, 32)
	last, errLast := strconv.ParseUint(high, 10, 32)
	if errFirst != nil || errLast != nil {
		return span{}, fmt.Errorf("%q is no number and no range of numbers such as 8000-8010", item)
	}
	if first > last {
		return span{}, fmt.Errorf("the range %s is reversed", item)
	}
	return span{int64(first), int64(last)}, nil
}

// formatRanges prints a list as the kernel does: "8080-8081,9000".
func formatRanges(spans []span) string {
	items := make([]string, len(spans))
	for i, s := range spans {
		items[i] = strconv.FormatInt(s.first, 10)
		if s.last > s.first {
			items[i] += "-" + strconv.FormatInt(s.last, 10)
		}
	}
	return strings.Join(items, ",")
}
