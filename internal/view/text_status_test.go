package view

import (
	"strings"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/internal/reconcile"
	"github.com/tcpguard/tcpguard/internal/status"
	"github.com/tcpguard/tcpguard/policy"
)

const exampleStatusText = `Not in sync: 1 to add, 0 to change, 0 to remove, 1 to repair.
  + policy.ssh                           bastion.hcl:13
  ! policy.web.rate_limit                missing from the kernel: will be put back

policy.api  monitor: refuses nothing, counts what it would; tcp 8080-8089
  passed       accepted                                    1 packet
  would refuse rate_limit                             12,345 packets
  tracked      rate_limit IPv4                       unknown of 65,536
  would hit    3 sources in the last hour; hit most, each since it showed up:
               2001:db8:1234:5678::/64                12,000 packets, last 1s ago, forgotten in 59m59s
               192.0.2.7                                 300 packets, last 30m ago, forgotten in 30m

policy.ssh  enforce; tcp 22; not in the kernel

policy.web  enforce; tcp 80, 443; forwarded
  passed       accepted                            1,234,567 packets
               allow                                      20 packets
  refused      connection_limit                           17 packets
               connection_limit.full                       2 packets
  challenged   syn_flood.challenged                      900 packets
  banned       ban.added                                   1 packet
  tracked      connection_limit IPv4                  62,000 of 65,536     94.6 %
               connection_limit IPv6                       0 of 65,536      0.0 %
  bans         in force IPv4                               1 of 65,536      0.0 %

host
  bans         addresses IPv4                              3 of 1,048,576   0.0 %
               ranges IPv4                                 2 of 1,048,576   0.0 %
               dropped                                     5 packets
  conntrack    connections                           200,000 of 262,144    76.3 %
               dropped, table full                         4
               evicted early                               6
  TCP          LISTEN                                      2
               ESTABLISHED                             1,204
               TIME_WAIT                                  40
  SYN queue    full: dropped                               0
               full: sent a cookie                         9
  accept queue overflowed                                  3
  SYN cookies  sent                                        9
               returned                                    8
               failed                                      1
  challenges   none
  listeners    0.0.0.0:8080                              128 queued of 128      policy.api, apid
note: list TCP listeners: no IPv6
`

func TestStatusReadsAtAGlance(t *testing.T) {
	out, _ := shown(t, Style{}, func(v View) error { return v.Status(exampleStatus()) })
	if out != exampleStatusText {
		t.Errorf("got\n%s\nwant\n%s", out, exampleStatusText)
	}
}

func TestStatusSaysFirstWhetherInSync(t *testing.T) {
	many := status.Sync{Summary: reconcile.Summary{Add: 12}}
	for range 12 {
		many.Pending = append(many.Pending, reconcile.Change{Address: "policy.web", Action: reconcile.ActionCreate, Range: at("web.hcl", 7)})
	}
	for _, c := range []struct {
		name  string
		s     *status.Status
		wants []string
	}{
		{"as declared", &status.Status{Applied: true}, []string{"In sync: this host is as declared.\n"}},
		{"nothing at all", &status.Status{}, []string{"In sync: nothing is declared, and nothing is applied.\n"}},
		{"more than a glance takes", &status.Status{Sync: many}, []string{"Not in sync: 12 to add, ", "\n    and 2 more: see `tcpguard plan`\n"}},
		{"not known", &status.Status{Sync: status.Sync{Unknown: "the policy has 1 error"}},
			[]string{"Not known whether in sync: the policy has 1 error\n", "Nothing of tcpguard is in the kernel.\n"}},
		{"known from the kernel", &status.Status{Applied: true, Policies: []status.Policy{{Name: "web", Held: true}}},
			[]string{"\npolicy.web  known from the kernel alone\n", "  refused      nothing\n"}},
		{"off", &status.Status{Policies: []status.Policy{{Name: "web", Declared: true, Mode: policy.ModeOff}}}, []string{"\npolicy.web  off\n"}},
		{"nobody hit", &status.Status{Policies: []status.Policy{{Name: "web", Declared: true, Held: true, Mode: policy.ModeMonitor}}},
			[]string{"  would refuse nothing\n", "  would hit    no source in the last hour\n"}},
		{"conntrack not in use", &status.Status{}, []string{"  conntrack    not in use\n"}},
		{"more connections than are counted", &status.Status{TCP: status.TCP{States: status.States{
			Counts: []status.StateCount{{State: "ESTABLISHED", Count: 200000}}, Incomplete: true,
		}}}, []string{"at least 200,000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _ := shown(t, Style{}, func(v View) error { return v.Status(c.s) })
			for _, want := range c.wants {
				if !strings.Contains(out, want) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestStatusPaintsWhatToLookAt(t *testing.T) {
	out, _ := shown(t, Style{Color: true}, func(v View) error { return v.Status(exampleStatus()) })
	for what, want := range map[string]string{
		"a table that is nearly full":  "\x1b[31m 94.6 %\x1b[0m",
		"a table that has been full":   "\x1b[31m             2\x1b[0m packets",
		"an accept queue that is full": "\x1b[31m           128\x1b[0m queued of 128",
		"what has been refused":        "\x1b[33m            17\x1b[0m packets",
		"what never happened":          "\x1b[2m             0\x1b[0m",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not painted: %q", what, out)
		}
	}
}

func TestNumbersInAStatus(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 12345: "12,345", 18446744073709551615: "18,446,744,073,709,551,615"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 1400 * time.Millisecond: "1s", 59 * time.Second: "59s", 3588 * time.Second: "59m48s", time.Hour: "1h", 30 * time.Minute: "30m", 7320 * time.Second: "2h2m",
	} {
		if got := shortTime(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
