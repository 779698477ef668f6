// Package sysctl knows the kernel's settings: which keys exist and what they may hold, which value a declaration asks
// for, how to write it and read it back, and how to restore what was found.
package sysctl

import "github.com/tcpguard/tcpguard/policy"

// Setting is one wanted value.
type Setting struct {
	Key       string       // normal form, see ParseKey
	Want      []string     // fields
	Bound     policy.Bound // how Want is compared with the value in force
	OnMissing policy.OnMissing
	OnRemove  policy.OnRemove
	Reason    string       // why, when derived ("500000 connections, 160 MiB"); "" when declared
	Address   string       // sysctl["net.core.somaxconn"], or capacity for a derived one
	Range     policy.Range // where it is declared
}

// State is one key as read from the kernel.
type State struct {
	Key      string
	Value    []string // fields, white space normalised
	Missing  bool     // this kernel or network namespace does not have the key
	ReadOnly bool     // the key exists and cannot be written from here, whoever asks
}

// Step is one write that brings a key from the value in force to the wanted one.
type Step struct {
	Key     string
	Before  []string // the value in force when the step was planned
	After   []string // the value to write
	Setting Setting  // what asks for it; the zero Setting when a journaled original is restored
	Follow  []State  // what the kernel overwrites by itself, as it is to be after a restore; see Client.WithFollowers
}

// Undo is the step that takes s back.
func (s Step) Undo() Step {
	return Step{Key: s.Key, Before: s.After, After: s.Before}
}

// Note is something that a person should know about a setting and that is no error.
type Note struct {
	Address string // what the note is about, see Setting.Address
	Key     string
	Text    string
	Range   policy.Range
}
