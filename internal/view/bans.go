package view

import (
	"github.com/tcpguard/tcpguard/internal/bans"
)

// Banned is the outcome of ban add.
type Banned struct {
	*bans.Added
	For      string   // how long, as it was asked for; "" when each source has its own time
	Notes    []string // what to know about it
	Warnings []string // what did not work out, although the bans are in force
}

// Unbanned is the outcome of ban del.
type Unbanned struct {
	*bans.Deleted
	Warnings []string
}

// Flushed is the outcome of ban flush.
type Flushed struct {
	Places   []bans.Place
	Warnings []string
}

// BanList is the outcome of ban list.
type BanList struct {
	Bans     []bans.Ban
	Warnings []string
}
