package reconcile

import (
	"fmt"
	"time"
)

// pending is the journal of an apply or destroy under way. It is written before the kernel is touched and removed when
// everything is done or put back, so finding one means that a run was cut short.
//
// It needs no list of steps: the kernel takes nftables changes whole or not at all, the originals of sysctls are
// journaled before they are written, and the next run plans against what it finds. So the next apply finishes, and a
// destroy undoes, whatever the interrupted run had reached.
type pending struct {
	FormatVersion string    `json:"format_version"`
	Version       string    `json:"tcpguard_version"`
	PID           int       `json:"pid"`
	Started       time.Time `json:"started"`
	Destroy       bool      `json:"destroy"`
	PolicyHash    string    `json:"policy_hash"`
}

// loadPending reads the journal; nil when there is none.
func (s store) loadPending() (*pending, error) {
	var p pending
	found, err := s.load(pendingFile, &p)
	if err != nil || !found {
		return nil, err
	}
	return &p, nil
}

// describe tells a person what was cut short.
func (p *pending) describe() string {
	verb := "an apply"
	if p.Destroy {
		verb = "a destroy"
	}
	return fmt.Sprintf("%s begun at %s (pid %d) was interrupted", verb, p.Started.Format(time.RFC3339), p.PID)
}
