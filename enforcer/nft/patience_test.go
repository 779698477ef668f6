package nft

import (
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// A connection outlives its deadline for answers: somebody thinks a plan over, a daemon has nothing to do for hours.
func TestAConnectionOutlivesItsDeadline(t *testing.T) {
	nettest.Need(t)
	nettest.New(t).Do(t, func() {
		c, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.patience = 100 * time.Millisecond
		if _, err := c.Generation(); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * c.patience) // what is tested is that this much time passes
		if _, err := c.Generation(); err != nil {
			t.Errorf("after the deadline of the request before: %v", err)
		}
		if _, _, err := c.Read(); err != nil {
			t.Errorf("reading: %v", err)
		}
	})
}
