package nft

import (
	"errors"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/internal/nettest"
)

// When the kernel's answer is lost, the generation tells whether the batch was applied.
func TestLostAnswers(t *testing.T) {
	nettest.Need(t)
	tx := &enforcer.Transaction{Ops: []enforcer.Op{{Verb: enforcer.Add, Table: true}}}
	theirs := &enforcer.Transaction{Ops: []enforcer.Op{{Verb: enforcer.Add, Chain: &enforcer.Chain{Name: "c"}}}}
	for _, tt := range []struct {
		name         string
		sent, others bool
		want         error
	}{
		{"applied", true, false, nil},
		{"not applied", false, false, ErrAnswerLost},
		{"others committed too", true, true, ErrOutcomeUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nettest.New(t).Do(t, func() {
				c, err := Open()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				gen, err := c.Generation()
				if err != nil {
					t.Fatal(err)
				}
				b, err := encodeBatch(tx, gen, c.seq+1)
				if err != nil {
					t.Fatal(err)
				}
				c.seq = b.seq
				if tt.sent {
					err = errors.Join(c.send(b.wire.buf), c.drain())
				}
				if tt.others {
					err = errors.Join(err, c.Commit(theirs, gen+1))
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := c.outcome(b); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}
