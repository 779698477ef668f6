package sysctl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tcpguard/tcpguard/policy"
)

// ReadBackError says that a write was accepted and that the kernel holds something else: it clamped, rounded or ignored
// the value, or another process wrote it at the same time.
type ReadBackError struct {
	Key   string
	Asked []string
	Held  []string
}

// Error names both values.
func (e *ReadBackError) Error() string {
	return fmt.Sprintf("sysctl[%q]: asked for %s, the kernel holds %s", e.Key, quote(e.Asked), quote(e.Held))
}

// quote prints a value for a message.
func quote(fields []string) string {
	if len(fields) == 0 {
		return "nothing"
	}
	return Join(fields)
}

// Apply writes the step's value and reads it back. No error from a write does not mean that the value is in force, so
// the value read back decides: a *ReadBackError when it is not what the step asks for (a bound is enough where the
// setting has one). A refused write wraps the kernel's error and says which value stays. A step that restores a value
// puts back what follows it, too.
func (c *Client) Apply(s Step) error {
	if err := c.write(s.Key, s.After); err != nil {
		return fmt.Errorf("write sysctl[%q] = %s (it holds %s): %w", s.Key, quote(s.After), quote(s.Before), err)
	}
	now, err := c.state(s.Key)
	if err != nil {
		return fmt.Errorf("read back sysctl[%q]: %w", s.Key, err)
	}
	bound := s.Setting.Bound
	if bound == "" {
		bound = policy.Exact
	}
	if now.Missing || !Satisfies(s.Key, bound, s.After, now.Value) {
		return &ReadBackError{Key: s.Key, Asked: s.After, Held: now.Value}
	}
	if s.Setting.Key != "" {
		return nil
	}
	var errs []error
	for _, f := range s.Follow {
		errs = append(errs, c.putBack(Step{Key: f.Key, After: f.Value}))
	}
	return errors.Join(errs...)
}

// ApplyAll applies steps in order and stops at the first error; done are those that may have changed something, the
// failed one included, so they are what Undo takes.
func (c *Client) ApplyAll(steps []Step) (done []Step, err error) {
	for i, s := range steps {
		if err := c.Apply(s); err != nil {
			return steps[:i+1], err
		}
	}
	return steps, nil
}

// Undo puts back what the steps found, the last one first, and then whatever the kernel changed along with them. It goes
// on after an error, so that as much as possible is put back, and joins the errors. A key that went away meanwhile (its
// interface or module was removed) has nothing to put back.
func (c *Client) Undo(done []Step) error {
	var errs []error
	for _, s := range slices.Backward(done) {
		errs = append(errs, c.putBack(s.Undo()))
	}
	// Writing one key may have changed another that was already put back.
	for _, s := range done {
		for _, f := range s.Follow {
			errs = append(errs, c.putBack(Step{Key: f.Key, After: f.Value}))
		}
		if !leads(s.Key) {
			errs = append(errs, c.putBack(s.Undo()))
		}
	}
	return errors.Join(errs...)
}

func (c *Client) putBack(s Step) error {
	now, err := c.state(s.Key)
	if err == nil && (now.Missing || Equal(s.Key, now.Value, s.After)) {
		return nil
	}
	s.Before = now.Value
	if err := c.Apply(s); err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	return nil
}
