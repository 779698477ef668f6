package reconcile

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

func challenging(b *policy.Bundle, path policy.Path) *policy.Bundle {
	p := b.Policies[0]
	p.Path = path
	p.SYNFlood = &policy.SYNFlood{
		Protect: policy.ProtectAuto, Threshold: policy.Rate{Count: 500, Interval: time.Second},
		Rate: policy.Rate{Count: 24000, Interval: time.Second}, MSS4: 1460, MSS6: 1440, WScale: 7, SACK: true,
	}
	out := *b
	out.Policies = append([]policy.Policy{p}, b.Policies[1:]...)
	return &out
}

func TestOpenConnectionsAreAdoptedBeforeConntrackTurnsStrict(t *testing.T) {
	calls := 0
	h := newFakeHost(t)
	h.settings.values[looseKey] = []string{"1"}
	h.adopt = func(ports []policy.PortRange) (int, error) {
		calls++
		if h.settings.values[looseKey][0] != "1" || !h.kernel.rules.Exists {
			t.Error("adopted at the wrong time: the rules must be in force and conntrack not strict yet")
		}
		return 3, nil
	}
	strict := challenging(webBundle(64), policy.PathInput)
	if report := h.mustApply(t, strict); calls != 1 || report.Adopted != 3 {
		t.Errorf("first apply: %d calls, %d adopted", calls, report.Adopted)
	}
	h.mustApply(t, challenging(webBundle(65), policy.PathInput))
	if calls != 1 {
		t.Error("adopted again although conntrack was strict before")
	}
	// Without our rules conntrack follows nobody: after a flush its windows are stale.
	h.kernel.rules.Exists, h.kernel.rules.Chains, h.kernel.rules.Sets, h.kernel.rules.Counters = false, nil, nil, nil
	h.adopt = func([]policy.PortRange) (int, error) { calls++; return 0, nil }
	h.mustApply(t, strict)
	if calls != 2 {
		t.Error("not adopted after the table was gone")
	}
}

func TestAnApplyThatCannotAdoptIsPutBack(t *testing.T) {
	h := newFakeHost(t)
	h.settings.values[looseKey] = []string{"1"}
	h.adopt = func([]policy.PortRange) (int, error) { return 0, errors.New("no memory") }
	_, err := h.Apply(t.Context(), challenging(webBundle(64), policy.PathInput), ApplyOptions{})
	var rolledBack *ErrRolledBack
	if !errors.As(err, &rolledBack) || h.kernel.rules.Exists || h.settings.values[looseKey][0] != "1" {
		t.Errorf("got %v", err)
	}
}

// on runs f on a Reconciler of the namespace, with records in dir.
func on(t *testing.T, ns *nettest.NS, dir string, f func(*Reconciler)) {
	t.Helper()
	ns.Do(t, func() {
		r, err := Open(Options{StateDir: dir, RunDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		f(r)
	})
}

// A session that was open before conntrack was in use goes on through the first apply of a policy that challenges, and
// when its table was flushed and is put back; so does one that is silent meanwhile.
func TestFirstApplyOfAChallengeCutsNoSession(t *testing.T) {
	nettest.Need(t)
	nettest.NeedProgram(t, "nft")
	strict := challenging(webBundle(64), policy.PathInput)
	strict.Policies[0].Ports = []policy.PortRange{{First: 443, Last: 443}}
	for _, family := range [][2]netip.Addr{{nettest.Client4, nettest.Server4}, {nettest.Client6, nettest.Server6}} {
		t.Run(family[0].String(), func(t *testing.T) {
			n, dir := nettest.Pair(t), t.TempDir()
			nettest.Listen(t, n.Server, nettest.Port(443))
			var sessions [2]net.Conn
			for i := range sessions {
				conn, outcome := nettest.Dial(t, n.Client, family[0], netip.AddrPortFrom(family[1], 443), 500*time.Millisecond)
				if outcome != nettest.Connected {
					t.Fatalf("dial: %s", outcome)
				}
				defer conn.Close()
				sessions[i] = conn
			}
			talk := func(when string, sessions ...net.Conn) {
				for _, s := range sessions {
					if err := nettest.Echo(s, 3*time.Second); err != nil {
						t.Errorf("%s: the session does not go on: %v", when, err)
					}
				}
			}
			apply := func() (adopted int) {
				on(t, n.Server, dir, func(r *Reconciler) {
					report, err := r.Apply(t.Context(), strict, ApplyOptions{})
					if err != nil {
						t.Fatal(err)
					}
					adopted = report.Adopted
				})
				return adopted
			}
			talk("before", sessions[0])
			if got := apply(); got != len(sessions) {
				t.Errorf("%d connections adopted, want %d", got, len(sessions))
			}
			talk("after the first apply", sessions[0])
			nettest.NftFlush(t, n.Server)
			for range 5 {
				talk("while the table is gone", sessions[0])
			}
			apply()
			talk("after the table was put back", sessions[:]...)
		})
	}
}
