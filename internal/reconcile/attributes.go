package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tcpguard/tcpguard/enforcer"
)

// Attribute is one declared value as text.
type Attribute struct {
	Name  string
	Value string
}

// Attributes is an ordered list of values; in JSON an object whose members keep the order, or null when nil.
type Attributes []Attribute

// attributesOf copies what a Resource declares.
func attributesOf(r enforcer.Resource) Attributes {
	out := make(Attributes, 0, len(r.Attributes))
	for _, a := range r.Attributes {
		out = append(out, Attribute{Name: a.Name, Value: a.Value})
	}
	return out
}

// Get gives the value of a name, and whether there is one.
func (a Attributes) Get(name string) (string, bool) {
	for _, x := range a {
		if x.Name == name {
			return x.Value, true
		}
	}
	return "", false
}

// AttributeChange is one value of a Change that is not the same before and after. Without a value on one side, that
// Has field is false.
type AttributeChange struct {
	Name                string
	Before, After       string
	HasBefore, HasAfter bool
}

// Changed gives the values that differ between two lists: first in the order of after, then what only before has.
func Changed(before, after Attributes) []AttributeChange {
	var out []AttributeChange
	for _, a := range after {
		old, had := before.Get(a.Name)
		if !had || old != a.Value {
			out = append(out, AttributeChange{Name: a.Name, Before: old, After: a.Value, HasBefore: had, HasAfter: true})
		}
	}
	for _, b := range before {
		if _, has := after.Get(b.Name); !has {
			out = append(out, AttributeChange{Name: b.Name, Before: b.Value, HasBefore: true})
		}
	}
	return out
}

// MarshalJSON writes the list as an object whose members keep their order.
func (a Attributes) MarshalJSON() ([]byte, error) {
	if a == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, x := range a {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(x.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(x.Value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads an object of strings, keeping the order of its members.
func (a *Attributes) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if err != nil {
		return err
	}
	if open == nil {
		*a = nil
		return nil
	}
	if open != json.Delim('{') {
		return fmt.Errorf("attributes: expected an object, found %v", open)
	}
	out := Attributes{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value string
		if err := dec.Decode(&value); err != nil {
			return fmt.Errorf("attribute %v: %w", name, err)
		}
		out = append(out, Attribute{Name: name.(string), Value: value})
	}
	*a = out
	return nil
}
