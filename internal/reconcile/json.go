package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxPlanBytes bounds a saved plan: 1000 policies with 30 values each stay well below it.
const maxPlanBytes = 64 << 20

// byAddress is a JSON object from address to attributes, in the order of the changes, which is by address.
type byAddress struct{ changes []Change }

// sides is the before and after of a plan as configuration management shows them.
type sides struct {
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// planDocument is Plan's JSON: its fields, whether there is anything to do, and both sides by address.
type planDocument struct {
	planFields
	Changed bool  `json:"changed"`
	Diff    sides `json:"diff"`
}

type planFields Plan

// MarshalJSON writes the plan with "changed" and "diff" beside its fields. Arrays are never null.
func (p *Plan) MarshalJSON() ([]byte, error) {
	doc := planDocument{planFields: planFields(*p), Changed: !p.Empty()}
	doc.Changes = append([]Change{}, p.Changes...)
	for i := range doc.Changes {
		doc.Changes[i].Notes = append([]string{}, doc.Changes[i].Notes...)
	}
	doc.Warnings = append([]Warning{}, p.Warnings...)
	doc.Notes = append([]string{}, p.Notes...)
	var err error
	if doc.Diff.Before, err = (byAddress{p.Changes}).object(func(c Change) Attributes { return c.Before }); err != nil {
		return nil, err
	}
	if doc.Diff.After, err = (byAddress{p.Changes}).object(func(c Change) Attributes { return c.After }); err != nil {
		return nil, err
	}
	return json.Marshal(doc)
}

// object writes one side; an address that has nothing on that side is left out.
func (b byAddress) object(side func(Change) Attributes) (json.RawMessage, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for _, c := range b.changes {
		attributes := side(c)
		if attributes == nil {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(c.Address)
		if err != nil {
			return nil, err
		}
		value, err := attributes.MarshalJSON()
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// ReadPlan reads a saved plan. It refuses another major format version, unknown trailing data and more than 64 MiB.
func ReadPlan(r io.Reader) (*Plan, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPlanBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if len(data) > maxPlanBytes {
		return nil, fmt.Errorf("read plan: larger than %d bytes", maxPlanBytes)
	}
	var p planFields
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("read plan: not a saved plan: %w", err)
	}
	if major, _, _ := strings.Cut(p.FormatVersion, "."); major != "1" {
		return nil, fmt.Errorf("read plan: format version %q, this tcpguard reads 1.x: make the plan again", p.FormatVersion)
	}
	plan := Plan(p)
	return &plan, nil
}

type reportFields Report

// MarshalJSON writes the report with its duration in seconds. Arrays are never null.
func (r *Report) MarshalJSON() ([]byte, error) {
	doc := struct {
		reportFields
		Changed  bool    `json:"changed"`
		Duration float64 `json:"duration_seconds"`
	}{reportFields: reportFields(*r), Changed: len(r.Applied) > 0, Duration: r.Duration.Round(time.Microsecond).Seconds()}
	doc.Applied = append([]string{}, r.Applied...)
	doc.Differences = append([]Difference{}, r.Differences...)
	return json.Marshal(doc)
}
