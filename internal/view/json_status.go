package view

import (
	"math"
	"time"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/internal/status"
	"github.com/tcpguard/tcpguard/policy"
)

// jsonStatus is the document of status.
type jsonStatus struct {
	header
	Namespace   string             `json:"namespace"`
	Time        time.Time          `json:"time"`
	Applied     bool               `json:"applied"`
	Sync        jsonSync           `json:"sync"`
	Policies    []jsonPolicyStatus `json:"policies"`
	Bans        jsonHostBans       `json:"bans"`
	Conntrack   jsonConntrack      `json:"conntrack"`
	TCP         jsonTCP            `json:"tcp"`
	Listeners   []jsonListener     `json:"listeners"`
	Notes       []string           `json:"notes"`
	Diagnostics policy.Diagnostics `json:"diagnostics"`
}

type jsonSync struct {
	State   string            `json:"state"`  // in_sync, pending or unknown
	Reason  string            `json:"reason"` // why it is unknown, else ""
	Summary reconcile.Summary `json:"summary"`
	Changes []jsonPending     `json:"changes"`
}

type jsonPending struct {
	Address string           `json:"address"`
	Action  reconcile.Action `json:"action"`
	Reason  string           `json:"reason"`
	Range   policy.Range     `json:"range"`
}

type jsonTraffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

type jsonRefusal struct {
	Reason string      `json:"reason"`
	Kind   status.Kind `json:"kind"` // refused, challenged, banned or passed
	jsonTraffic
}

// jsonFill has a count of 0 where it is not known.
type jsonFill struct {
	Known   bool    `json:"known"`
	Count   int     `json:"count"`
	Size    uint64  `json:"size"`
	Percent float64 `json:"percent"`
}

type jsonTable struct {
	Name   string `json:"name"`
	Family string `json:"family"`
	Set    string `json:"set"`
	jsonFill
}

type jsonPolicyStatus struct {
	Address  string        `json:"address"`
	Declared bool          `json:"declared"`
	Held     bool          `json:"held"`
	Mode     policy.Mode   `json:"mode"` // "" when not known
	Protocol string        `json:"protocol"`
	Path     string        `json:"path"`
	Ports    []string      `json:"ports"`
	Range    policy.Range  `json:"range"`
	Accepted jsonTraffic   `json:"accepted"`
	Allowed  jsonTraffic   `json:"allowed"`
	Refused  []jsonRefusal `json:"refused"`
	// Monitored says that what is counted as refused was let through.
	Monitored bool        `json:"monitored"`
	Tables    []jsonTable `json:"tables"`
	Bans      jsonBans    `json:"bans"`
	Shadow    jsonShadow  `json:"shadow"`
}

type jsonBans struct {
	Known bool `json:"known"`
	Count int  `json:"count"`
}

type jsonShadow struct {
	Sources int          `json:"sources"`
	Top     []jsonSource `json:"top"`
}

type jsonSource struct {
	Source string `json:"source"`
	jsonTraffic
	LastSeenSeconds float64 `json:"last_seen_seconds"`
	ExpiresSeconds  float64 `json:"expires_seconds"`
}

type jsonHostBans struct {
	jsonBans
	Dropped jsonTraffic `json:"dropped"`
	Tables  []jsonTable `json:"tables"`
}

type jsonConntrack struct {
	Tracking bool `json:"tracking"`
	jsonFill
	Dropped      uint64 `json:"dropped"`
	EvictedEarly uint64 `json:"evicted_early"`
}

type jsonCookies struct {
	Sent     uint64 `json:"sent"`
	Returned uint64 `json:"returned"`
	Failed   uint64 `json:"failed"`
}

type jsonTCP struct {
	States          []jsonState `json:"states"`
	StatesComplete  bool        `json:"states_complete"`
	AcceptOverflows uint64      `json:"accept_queue_overflows"`
	ListenDrops     uint64      `json:"listen_drops"`
	SYNDropped      uint64      `json:"syn_queue_dropped"`
	SYNCookied      uint64      `json:"syn_queue_cookied"`
	Cookies         jsonCookies `json:"syn_cookies"`
	Challenges      jsonCookies `json:"challenges"`
}

type jsonState struct {
	State string `json:"state"`
	Count int    `json:"count"`
}

type jsonListener struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	Policy  string `json:"policy"`
	PID     int    `json:"pid"` // 0 when not known
	Command string `json:"command"`
	Queued  uint32 `json:"queued"`
	Backlog uint32 `json:"backlog"`
}

// Status is the document of status.
func (j *JSON) Status(s *status.Status) error {
	doc := jsonStatus{
		header: head("status"), Namespace: s.Namespace, Time: s.Time.UTC().Round(time.Millisecond), Applied: s.Applied,
		Sync: syncOf(s.Sync), Policies: []jsonPolicyStatus{}, Conntrack: jsonConntrack{
			s.Conntrack.Tracking, fillOf(s.Conntrack.Fill), s.Conntrack.Dropped, s.Conntrack.EvictedEarly,
		},
		Bans:      jsonHostBans{bansIn(s.Bans.Tables), jsonTraffic(s.Bans.Dropped), tablesOf(s.Bans.Tables)},
		TCP:       tcpOf(s.TCP),
		Listeners: []jsonListener{}, Notes: list(s.Notes), Diagnostics: j.diagnostics,
	}
	for i := range s.Policies {
		doc.Policies = append(doc.Policies, policyOf(&s.Policies[i]))
	}
	for _, l := range s.Listeners {
		doc.Listeners = append(doc.Listeners, jsonListener{
			l.Address.String(), l.Port, l.Policy, l.Process.PID, l.Process.Command, l.Queued, l.Backlog,
		})
	}
	return j.write(doc)
}

func syncOf(s status.Sync) jsonSync {
	doc := jsonSync{State: "pending", Reason: s.Unknown, Summary: s.Summary, Changes: []jsonPending{}}
	switch {
	case s.Unknown != "":
		doc.State = "unknown"
	case s.InSync():
		doc.State = "in_sync"
	}
	for _, c := range s.Pending {
		doc.Changes = append(doc.Changes, jsonPending{c.Address, c.Action, c.Reason, c.Range})
	}
	return doc
}

func policyOf(p *status.Policy) jsonPolicyStatus {
	doc := jsonPolicyStatus{
		Address: p.Address(), Declared: p.Declared, Held: p.Held, Mode: p.Mode, Protocol: string(p.Protocol), Path: string(p.Path),
		Ports: []string{}, Range: p.Range, Accepted: jsonTraffic(p.Accepted), Allowed: jsonTraffic(p.Allowed),
		Refused: []jsonRefusal{}, Monitored: p.Monitored(), Tables: tablesOf(p.Tables), Bans: bansIn(p.Tables),
		Shadow: jsonShadow{p.Shadow.Sources, []jsonSource{}},
	}
	for _, r := range p.Ports {
		doc.Ports = append(doc.Ports, r.String())
	}
	for _, r := range p.Refusals {
		doc.Refused = append(doc.Refused, jsonRefusal{r.Reason, r.Kind, jsonTraffic(r.Traffic)})
	}
	for _, s := range p.Shadow.Top {
		doc.Shadow.Top = append(doc.Shadow.Top, jsonSource{
			s.Name, jsonTraffic(s.Traffic), wholeSeconds(s.LastSeen), wholeSeconds(s.Expires),
		})
	}
	return doc
}

func wholeSeconds(d time.Duration) float64 { return d.Round(time.Second).Seconds() }

func fillOf(f status.Fill) jsonFill {
	return jsonFill{f.Known(), max(f.Count, 0), f.Size, math.Round(f.Percent()*100) / 100}
}

func tablesOf(tables []status.Table) []jsonTable {
	docs := []jsonTable{}
	for _, t := range tables {
		docs = append(docs, jsonTable{t.Name, t.Family, t.Set, fillOf(t.Fill)})
	}
	return docs
}

func bansIn(tables []status.Table) jsonBans {
	n := status.Bans(tables)
	return jsonBans{n >= 0, max(n, 0)}
}

func tcpOf(t status.TCP) jsonTCP {
	doc := jsonTCP{
		States: []jsonState{}, StatesComplete: !t.States.Incomplete,
		AcceptOverflows: t.Queues.AcceptOverflows, ListenDrops: t.Queues.ListenDrops,
		SYNDropped: t.Queues.SYNDropped, SYNCookied: t.Queues.SYNCookied,
		Cookies: jsonCookies(t.Cookies), Challenges: jsonCookies(t.Challenges),
	}
	for _, s := range t.States.Counts {
		doc.States = append(doc.States, jsonState(s))
	}
	doc.States = append(doc.States, jsonState{"TIME_WAIT", t.States.TimeWait})
	return doc
}
