package status

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/policy"
)

// failing is a kernel that cannot tell some things.
type failing struct {
	live     *nft.Live
	rules    error
	counters error
	elements error
}

func (f failing) Read() (*enforcer.Ruleset, uint32, error) { return &enforcer.Ruleset{}, 0, f.rules }
func (f failing) Live() (*nft.Live, error)                 { return f.live, f.counters }
func (f failing) CountedElements(*enforcer.Set) ([]nft.CountedElement, error) {
	return nil, f.elements
}

func TestOnlyTheHeartOfAStatusIsAnError(t *testing.T) {
	broken := errors.New("broken")
	bundle := &policy.Bundle{}
	for _, c := range []struct {
		name   string
		kernel failing
		bundle *policy.Bundle
		fails  bool
	}{
		{"counters", failing{counters: broken}, bundle, true},
		{"ports, without policy files", failing{live: live(), rules: broken}, nil, true},
		{"ports, which the policy files tell", failing{live: live(), rules: broken}, bundle, false},
		{"whom a policy would have refused", failing{live: live(), elements: broken}, bundle, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Read(t.Context(), c.kernel, c.bundle, Options{Root: host.Proc, Top: 3, Now: time.Now})
			if errors.Is(err, broken) != c.fails {
				t.Fatalf("error is %v", err)
			}
			noted := s != nil && strings.Contains(strings.Join(s.Notes, "\n"), "broken")
			if noted != (c.kernel.elements != nil) {
				t.Errorf("status is %+v", s)
			}
		})
	}
}

func TestAStatusHasItsTimeInUTC(t *testing.T) {
	at := time.Date(2026, 5, 9, 14, 0, 0, 0, time.FixedZone("CEST", 7200))
	s, err := Read(t.Context(), failing{live: &nft.Live{}}, nil, Options{Root: host.Proc, Now: func() time.Time { return at }})
	if err != nil || !s.Time.Equal(at) || s.Time.Location() != time.UTC || s.Applied {
		t.Errorf("status is %+v (%v)", s, err)
	}
}
