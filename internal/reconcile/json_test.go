package reconcile

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestASavedPlanIsReadBack(t *testing.T) {
	h := newFakeHost(t)
	plan := h.mustPlan(t, withSysctl(withDeny(t, webBundle(64), "192.0.2.1"), "net.core.somaxconn", "4096"))
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadPlan(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Errorf("read back:\n%s\nwant:\n%s", again, data)
	}
	if err := approved(plan, read); err != nil {
		t.Errorf("the plan that was read is not the one that was saved: %v", err)
	}
}

func TestPlanJSON(t *testing.T) {
	h := newFakeHost(t)
	h.mustApply(t, webBundle(64))
	data, err := json.Marshal(h.mustPlan(t, webBundle(100)))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Changed  bool
		Warnings []any
		Notes    []any
		Diff     struct{ Before, After map[string]map[string]string }
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	const address = "policy.web.connection_limit"
	if !doc.Changed || doc.Diff.Before[address]["max"] != "64" || doc.Diff.After[address]["max"] != "100" {
		t.Errorf("changed %v, diff %+v", doc.Changed, doc.Diff)
	}
	if doc.Warnings == nil || doc.Notes == nil {
		t.Errorf("an empty array is null: %s", data)
	}
}

func TestReadPlanRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"another major version", `{"format_version":"2.0"}`, "make the plan again"},
		{"no version", `{}`, "make the plan again"},
		{"no JSON", `policy "web" {}`, "not a saved plan"},
		{"attributes that are no object", `{"format_version":"1.0","changes":[{"before":[1]}]}`, "expected an object"},
		{"two documents", `{"format_version":"1.0"}{}`, "not a saved plan"},
	}
	for _, tt := range tests {
		if _, err := ReadPlan(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestAttributesKeepTheirOrder(t *testing.T) {
	for _, a := range []Attributes{nil, {}, {{"z", "1"}, {"a", `"2"`}, {"m", ""}}} {
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Attributes
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, back) {
			t.Errorf("%s was read as %#v, want %#v", data, back, a)
		}
	}
}

func TestReportJSON(t *testing.T) {
	data, err := json.Marshal(&Report{FormatVersion: FormatVersion, Outcome: OutcomeApplied, Duration: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"duration_seconds":1.5`, `"applied":[]`, `"differences":[]`, `"outcome":"applied"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%s lacks %s", data, want)
		}
	}
}
