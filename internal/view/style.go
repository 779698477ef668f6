package view

import "github.com/tcpguard/tcpguard/internal/reconcile"

// Style says how text is painted.
type Style struct{ Color bool }

// The SGR codes in use: ECMA-48, 8.3.117.
const (
	bold    = "1"
	red     = "31"
	green   = "32"
	yellow  = "33"
	magenta = "35"
	faint   = "2"
)

// paint wraps text in a colour; padding belongs outside, or columns shift.
func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// sign gives the mark of an action, painted.
func (s Style) sign(a reconcile.Action) string {
	switch a {
	case reconcile.ActionCreate:
		return s.paint(green, "+")
	case reconcile.ActionDelete:
		return s.paint(red, "-")
	case reconcile.ActionRepair:
		return s.paint(magenta, "!")
	default:
		return s.paint(yellow, "~")
	}
}
