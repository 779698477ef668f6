package nft

import (
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
)

// CountLive counts as on a kernel that does not say how many elements sets hold.
func (c *Conn) CountLive(sets []enforcer.Set, most uint32, until time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.countLive(sets, most, until)
}
