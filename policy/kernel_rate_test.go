package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/policy"
)

// TestRatesAgreeWithTheCompiler holds that a rate is refused where it is written exactly when the compiler would refuse
// it: whether it stands in a rate_limit of either window, in syn_flood or in ban. Of a rate that is sampled the compiler
// could hold sixteen times as much; nobody needs that.
func TestRatesAgreeWithTheCompiler(t *testing.T) {
	t.Parallel()
	intervals := []time.Duration{time.Millisecond, 7 * time.Millisecond, time.Second, 90 * time.Second, 24 * time.Hour, 7*24*time.Hour - time.Millisecond, 7 * 24 * time.Hour, 8 * 24 * time.Hour}
	counts := []uint64{1, 2, 999983, 1 << 31, 1<<32 - 1}
	dir := t.TempDir()
	refused, total := 0, 0
	for _, interval := range intervals {
		for _, count := range counts {
			rate := policy.Rate{Count: count, Interval: interval}
			for _, c := range ratePlaces(rate, counts) {
				total++
				file := filepath.Join(dir, "web.hcl")
				if err := os.WriteFile(file, []byte("policy \"web\" {\n  ports = [443]\n"+c.text+"}\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				_, diags := policy.Load(policy.Options{Paths: []string{file}})
				want := policy.Policy{Name: "web", Protocol: policy.TCP, Path: policy.PathInput, Mode: policy.ModeEnforce, Ports: []policy.PortRange{{First: 443, Last: 443}}}
				c.set(&want)
				_, err := enforcer.Compile(&policy.Bundle{Policies: []policy.Policy{want}})
				if diags.HasErrors() != (err != nil) && (err != nil || !c.sampled) {
					t.Errorf("%s\nLoad says: %v\nCompile says: %v", c.text, diags.Errors(), err)
				}
				if err != nil {
					refused++
				}
			}
		}
	}
	if refused < total/10 || refused > total-total/10 {
		t.Errorf("%d of %d rates are refused: the cases no longer test much", refused, total)
	}
}

type ratePlace struct {
	text    string
	set     func(*policy.Policy)
	sampled bool
}

// ratePlaces writes a rate wherever the language takes one, beside what is needed there.
func ratePlaces(r policy.Rate, bursts []uint64) []ratePlace {
	text := fmt.Sprintf("%d/%s", r.Count, r.Interval)
	grouping := policy.Grouping{Per: policy.PerSource, IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 1024, OnFull: policy.OnFullDrop}
	connection := &policy.ConnectionLimit{Grouping: grouping, Max: 5, Action: policy.ActionDrop}
	flood := policy.SYNFlood{Protect: policy.ProtectAuto, Threshold: policy.Rate{Count: 500, Interval: time.Second}, Rate: policy.Rate{Count: 24000, Interval: time.Second}, MSS4: 1460, MSS6: 1440}
	threshold, rate := flood, flood
	threshold.Threshold, rate.Rate = r, r
	limited := policy.RateLimit{Grouping: grouping, Rate: r, Burst: uint32(r.Count), Window: policy.WindowFixed, Action: policy.ActionDrop}
	places := []ratePlace{
		{fmt.Sprintf("  rate_limit {\n    rate = %q\n    window = \"fixed\"\n  }\n", text), func(p *policy.Policy) { p.Rate = &limited }, false},
		{fmt.Sprintf("  syn_flood { threshold = %q }\n", text), func(p *policy.Policy) { p.SYNFlood = &threshold }, false},
		{fmt.Sprintf("  syn_flood { rate = %q }\n", text), func(p *policy.Policy) { p.SYNFlood = &rate }, true},
		{fmt.Sprintf("  connection_limit { max = 5 }\n  ban {\n    after = %q\n    for = \"10m\"\n  }\n", text), func(p *policy.Policy) {
			p.Connection, p.SYNFlood = connection, &flood
			p.Ban = &policy.Ban{After: r, For: 10 * time.Minute, Escalate: []uint32{1}, Proof: policy.ProofHandshake, IPv4Prefix: 32, IPv6Prefix: 64, TableSize: 1024}
		}, false},
	}
	for _, burst := range bursts {
		bucket := limited
		bucket.Burst, bucket.Window = uint32(burst), policy.WindowToken
		places = append(places, ratePlace{
			fmt.Sprintf("  rate_limit {\n    rate = %q\n    burst = %d\n  }\n", text, burst),
			func(p *policy.Policy) { p.Rate = &bucket }, false,
		})
	}
	return places
}
