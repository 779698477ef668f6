// Package report is what a drill found: the values, how they are computed from samples, what may be required of them,
// and how they are shown as text, JSON and one HTML page.
package report

import (
	"time"

	"github.com/tcpguard/tcpguard/internal/reconcile"
)

// Document is a whole drill. Arrays are never null; what could not be measured is null.
type Document struct {
	FormatVersion string     `json:"format_version"`
	Type          string     `json:"type"` // "drill"
	Started       time.Time  `json:"started"`
	Seconds       float64    `json:"duration_seconds"`
	Interrupted   bool       `json:"interrupted"` // scenarios are missing
	Setup         Setup      `json:"setup"`
	Scenarios     []Scenario `json:"scenarios"`
	// Requirements are those of --require, judged on the sides with the policy.
	Requirements []Outcome `json:"requirements"`
	Notes        []string  `json:"notes"`
}

// New begins a document.
func New(started time.Time) *Document {
	return &Document{
		FormatVersion: reconcile.FormatVersion, Type: "drill", Started: started.UTC().Truncate(time.Second),
		Setup:     Setup{PolicyFiles: []string{}, Services: []Service{}, Clients: []ClientGroup{}},
		Scenarios: []Scenario{}, Requirements: []Outcome{}, Notes: []string{},
	}
}

// Setup is what the drill was done with: who repeats it on the same should see the same.
type Setup struct {
	Tcpguard      string        `json:"tcpguard"`
	Kernel        string        `json:"kernel"`
	CPU           string        `json:"cpu"`
	CPUs          int           `json:"cpus"`
	MemoryMiB     uint64        `json:"memory_mib"`
	UserNamespace bool          `json:"user_namespace"` // run without root
	PolicyFiles   []string      `json:"policy_files"`
	PolicyHash    string        `json:"policy_hash"` // as in plans
	Services      []Service     `json:"services"`
	Clients       []ClientGroup `json:"clients"`
	Seconds       float64       `json:"scenario_seconds"`
	FloodRate     int           `json:"flood_packets_per_second"`
	Timeout       float64       `json:"client_timeout_seconds"`
	ServerPlaces  int           `json:"server_places"`
	ServerPerSec  int           `json:"server_connections_per_second"`
}

// Service is a policy under attack.
type Service struct {
	Policy string   `json:"policy"` // its address
	Path   string   `json:"path"`
	Mode   string   `json:"mode"`
	At     []string `json:"at"` // addresses and ports attacked
}

// ClientGroup says who the legitimate clients are.
type ClientGroup struct {
	Name    string `json:"name"`
	Sources int    `json:"sources"`
	What    string `json:"what"`
}

// Scenario is one attack, met without and with the policy. A side is nil when it was not run.
type Scenario struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	What    string `json:"what"`
	Judged  string `json:"judged"`  // the group whose success counts; "" for all
	Skipped string `json:"skipped"` // why it was not run, "" if it was
	Without *Side  `json:"without"`
	With    *Side  `json:"with"`
}

// Side is one run of a scenario.
type Side struct {
	// Judged sums up the judged group; it is what the headline, the charts and the requirements speak of.
	Judged         Result         `json:"result"`
	Groups         []Group        `json:"groups"`
	Attack         Attack         `json:"attack"`
	Counters       []Count        `json:"counters"` // tcpguard's, by name
	Kernel         []Count        `json:"kernel"`   // the kernel's own
	Conntrack      Conntrack      `json:"conntrack"`
	FalsePositives FalsePositives `json:"false_positives"`
	Timeline       []Tick         `json:"timeline"` // of the judged group, each 100 ms
	// OtherCPU is the share of the processors that other programs took meanwhile, which shows in latencies.
	OtherCPU float64 `json:"other_cpu_percent"`
}

// Result sums up requests. Latencies are those of served requests.
type Result struct {
	Requests  int      `json:"requests"`
	Served    int      `json:"served"`
	Refused   int      `json:"refused"` // answered with a reset
	Lost      int      `json:"lost"`    // not answered in time
	Success   *float64 `json:"success_percent"`
	PerSecond float64  `json:"served_per_second"`
	P50       *float64 `json:"p50_seconds"`
	P99       *float64 `json:"p99_seconds"`
}

// Group is the result of one group of clients.
type Group struct {
	Name string `json:"name"`
	Result
}

// Attack is what the attacker did.
type Attack struct {
	Unit        string  `json:"unit"` // "packets" or "connections"; "" in calm
	Sent        uint64  `json:"sent"`
	PerSecond   float64 `json:"per_second"`
	Established uint64  `json:"established"`  // handshakes completed, be it with a challenge
	Taken       uint64  `json:"places_taken"` // at the server, the most at any time
}

// Count is a named number.
type Count struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

// Conntrack is how full the connection tracking table got.
type Conntrack struct {
	Peak uint64 `json:"peak_entries"`
	Max  uint64 `json:"max_entries"`
}

// FalsePositives are legitimate sources that were hurt.
type FalsePositives struct {
	Sources   int      `json:"sources"`            // that made a request
	NotServed int      `json:"sources_not_served"` // at least one request of theirs was refused or lost
	Banned    []string `json:"banned"`             // addresses
}

// Tick is a tenth of a second: the requests begun in it, and how many of them were served.
type Tick struct {
	Requests int `json:"requests"`
	Served   int `json:"served"`
}
