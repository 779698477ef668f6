package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// applied is what the last successful apply declared. It tells a declaration that changed from a kernel that drifted;
// what to do about either follows from the kernel alone, so losing the file costs explanations and nothing else.
type applied struct {
	FormatVersion string            `json:"format_version"`
	Version       string            `json:"tcpguard_version"`
	PolicyHash    string            `json:"policy_hash"`
	Epoch         string            `json:"epoch"`
	Time          time.Time         `json:"time"`
	Resources     map[string]record `json:"resources"`
}

// record is one address of the record.
type record struct {
	Kind       Kind       `json:"kind"`
	Attributes Attributes `json:"attributes"`
	Hash       string     `json:"hash"`
	// Objects is a digest of the kernel objects that the declaration was compiled to, so that another version of
	// tcpguard that compiles it differently reports an update and not drift.
	Objects string `json:"objects"`
}

// same says whether two records declare the same, so that writing the second would tell nothing new.
func (a *applied) same(b *applied) bool {
	return a != nil && a.Version == b.Version && a.PolicyHash == b.PolicyHash && a.Epoch == b.Epoch &&
		maps.EqualFunc(a.Resources, b.Resources, func(x, y record) bool {
			return x.Kind == y.Kind && x.Hash == y.Hash && x.Objects == y.Objects && slices.Equal(x.Attributes, y.Attributes)
		})
}

// loadApplied reads the record; nil when there is none.
func (s store) loadApplied() (*applied, error) {
	var a applied
	found, err := s.load(appliedFile, &a)
	if err != nil || !found {
		return nil, err
	}
	if major, _, _ := strings.Cut(a.FormatVersion, "."); major != "1" {
		return nil, fmt.Errorf("read state %s: format version %q is from another tcpguard (%s); move it away and run again",
			s.path(appliedFile), a.FormatVersion, a.Version)
	}
	return &a, nil
}
