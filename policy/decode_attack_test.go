package policy

import (
	"reflect"
	"testing"
	"time"
)

// TestAttackDefaults holds what the least that can be written means.
func TestAttackDefaults(t *testing.T) {
	b := mustLoad(t, write(t, map[string]string{"web.hcl": `
policy "flood" {
  ports = [1]
  syn_flood {}
}
policy "banned" {
  ports       = [2]
  ipv4_prefix = 24
  table_size  = 5000
  connection_limit { max = 5 }
  ban {
    after = "20/1m"
    for   = "10m"
  }
  log {}
}
policy "plain" {
  ports = [3]
  connection_limit { max = 5 }
}
`}))
	flood := func(line int) *SYNFlood {
		return &SYNFlood{
			Protect: ProtectAuto, Threshold: Rate{500, time.Second}, Rate: Rate{24000, time.Second},
			MSS4: 1380, MSS6: 1360, WScale: 7, SACK: true, Range: Range{"web.hcl", line, 3},
		}
	}
	banned, declared, plain := b.Policies[0], b.Policies[1], b.Policies[2]
	if !reflect.DeepEqual(declared.SYNFlood, flood(4)) || declared.Ban != nil || declared.Log != nil {
		t.Errorf("an empty syn_flood is %+v", declared.SYNFlood)
	}
	// The ban brings the challenges that its proof needs, and stands for them in plans.
	if !reflect.DeepEqual(banned.SYNFlood, flood(11)) {
		t.Errorf("a ban alone brings %+v", banned.SYNFlood)
	}
	if want := (&Ban{
		After: Rate{20, time.Minute}, For: 10 * time.Minute, Escalate: []uint32{1}, Proof: ProofHandshake,
		IPv4Prefix: 24, IPv6Prefix: 64, TableSize: 5000, Range: Range{"web.hcl", 11, 3},
	}); !reflect.DeepEqual(banned.Ban, want) {
		t.Errorf("the least ban is %+v, want %+v", banned.Ban, want)
	}
	if want := (&Log{Rate: Rate{5, time.Minute}, Burst: 5, Target: LogKernel, Range: Range{"web.hcl", 15, 3}}); !reflect.DeepEqual(banned.Log, want) {
		t.Errorf("an empty log is %+v, want %+v", banned.Log, want)
	}
	if plain.SYNFlood != nil || plain.Ban != nil || plain.Log != nil {
		t.Errorf("without the blocks there is %+v", plain)
	}
}

// TestBanWithoutProofNeedsNoChallenges holds that a ban without proof leaves the handshake alone.
func TestBanWithoutProofNeedsNoChallenges(t *testing.T) {
	for _, protocol := range []Protocol{TCP, UDP} {
		b, diags := loadText("web.hcl", `policy "p" {
  ports    = [53]
  protocol = "`+string(protocol)+`"
  rate_limit { rate = "1/s" }
  ban {
    after = "20/1m"
    for   = "10m"
    proof = "none"
  }
}`, maxWork)
		if diags.HasErrors() || b.Policies[0].SYNFlood != nil || b.Policies[0].Ban.Proof != ProofNone {
			t.Errorf("%s: got %+v\n%s", protocol, b.Policies[0], render(diags))
		}
	}
}

// TestMSSFollowsTheSmallestMTU holds what a challenge announces: packets that fit every interface of the policy.
func TestMSSFollowsTheSmallestMTU(t *testing.T) {
	mtus := map[string]int{"eth0": 1500, "jumbo": 9000, "tunnel": 1280, "tiny": 296, "lo": 65536, "huge": 1 << 20}
	for _, c := range []struct {
		interfaces []string
		mtus       map[string]int
		mss4, mss6 uint16
	}{
		{[]string{"eth0"}, mtus, 1460, 1440},
		{[]string{"jumbo"}, mtus, 8960, 8940},
		{[]string{"jumbo", "tunnel"}, mtus, 1240, 1220},
		{[]string{"jumbo", "later"}, mtus, 1460, 1440}, // not there yet
		{[]string{"tiny"}, mtus, 536, 1220},
		{[]string{"lo"}, mtus, 65495, 65476},
		{[]string{"huge"}, mtus, 65495, 65515},
		{nil, map[string]int{"eth0": 1500, "jumbo": 9000}, 1460, 1440},
		{nil, map[string]int{"jumbo": 9000, "lo": 65536}, 8960, 8940},
		{nil, map[string]int{"lo": 1400}, 1460, 1440},
		{nil, nil, 1460, 1440},
	} {
		if mss4, mss6 := deriveMSS(c.mtus, c.interfaces); mss4 != c.mss4 || mss6 != c.mss6 {
			t.Errorf("%v of %v: %d and %d, want %d and %d", c.interfaces, c.mtus, mss4, mss6, c.mss4, c.mss6)
		}
	}
}
