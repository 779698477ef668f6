package enforcer

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/tcpguard/tcpguard/policy"
)

// limit is a connection_limit or rate_limit on its way into the kernel: a meter for each family (or one for all), the
// rule that ends what is over it, and the rule that decides for a source that did not fit into the meter's set.
type limit struct {
	*service
	policy.Grouping
	address    string
	name       string // of its sets
	action     policy.Action
	at         policy.Range
	attributes []Attribute

	connections uint32       // connection_limit
	rate        *policy.Rate // rate_limit
	burst       uint32
	window      policy.Window

	meter         Meter // without its set and field
	timeout       time.Duration
	refused, full Count
}

func (s *service) connectionLimit() *limit {
	d := s.Connection
	if d == nil {
		return nil
	}
	l := &limit{service: s, Grouping: d.Grouping, address: s.address + ".connection_limit", action: d.Action, at: d.Range, connections: d.Max}
	l.attributes = append([]Attribute{{"max", fmt.Sprint(d.Max), true}}, l.groupingAttributes()...)
	return l
}

func (s *service) rateLimit() *limit {
	d := s.Rate
	if d == nil {
		return nil
	}
	l := &limit{
		service: s, Grouping: d.Grouping, address: s.address + ".rate_limit", action: d.Action, at: d.Range,
		rate: &d.Rate, burst: d.Burst, window: d.Window,
	}
	l.attributes = append([]Attribute{
		{"rate", rateText(d.Rate), true},
		{"burst", fmt.Sprint(d.Burst), true},
		{"window", string(d.Window), true},
	}, l.groupingAttributes()...)
	return l
}

// rateText is the rate as a policy would write it: "500/s", "20/1m".
func rateText(r policy.Rate) string {
	if r.Interval == time.Second {
		return fmt.Sprintf("%d/s", r.Count)
	}
	return fmt.Sprintf("%d/%s", r.Count, timeText(r.Interval))
}

func (l *limit) groupingAttributes() []Attribute {
	a := []Attribute{{"per", string(l.Per), true}, {"action", string(l.action), false}, {"on_full", string(l.OnFull), false}}
	if l.Per == policy.PerSource {
		a = append(a,
			Attribute{"ipv4_prefix", fmt.Sprint(l.IPv4Prefix), true},
			Attribute{"ipv6_prefix", fmt.Sprint(l.IPv6Prefix), true},
			Attribute{"table_size", fmt.Sprint(l.TableSize), true})
	}
	return a
}

// declare adds the limit's resource, counters and sets.
func (l *limit) declare() (err error) {
	l.name = l.address
	l.resource(l.address, l.at, l.attributes...)
	l.refused = l.counter(l.address, l.address)
	l.full = l.counter(l.address+".full", l.address)
	return l.declareSets()
}

func (l *limit) declareSets() (err error) {
	l.meter, l.timeout, err = l.statement()
	if err != nil {
		return err
	}
	for _, key := range l.keys() {
		l.out.Sets = append(l.out.Sets, Set{
			Name: l.set(key), Address: l.address, Key: []KeyType{key.field.Name.KeyType()}, Dynamic: true,
			Timeout: l.timeout, Size: key.size,
		})
	}
	return nil
}

func (l *limit) set(key meterKey) string { return l.name + "." + key.suffix + "." + l.parameters() }

// meters adds the rules that count, each ending in excess for who is over the limit.
func (l *limit) meters(excess []Statement) {
	for _, key := range l.keys() {
		meter := l.meter
		meter.Set, meter.Field = l.set(key), key.field
		l.add(l.address, append([]Statement{meter}, excess...)...)
	}
}

// overflow adds the rules for a full table: a meter does not match when its set is full, so who is not in the set now
// did not fit.
func (l *limit) overflow(full []Statement) {
	for _, key := range l.keys() {
		missed := MatchSet{Fields: []Field{key.field}, Set: l.set(key), Negate: true}
		l.add(l.address, append([]Statement{missed, l.full}, full...)...)
	}
}

// overflowDrop is what a source gets that did not fit: nothing more, or the end.
func (l *limit) overflowDrop() []Statement {
	if l.OnFull == policy.OnFullDrop {
		return []Statement{l.verdict(Drop)}
	}
	return nil
}

// overflowChallenge has a source that did not fit prove itself before on_full decides: forgeries may have filled the
// table, and the places they took are free again before the source is no longer challenged.
func (l *limit) overflowChallenge() []Statement {
	if l.OnFull == policy.OnFullDrop {
		return l.challenge()
	}
	return nil
}

// refuse is what a limit does with an excess that is no forgery.
func (l *limit) refuse() []Statement {
	action := l.action
	if l.challenges() && !l.tells() {
		action = policy.ActionDrop
	}
	// Who is refused because of what all do together has violated nothing.
	strikes := l.Per == policy.PerSource
	return l.service.refuse(outcome{address: l.address, counter: l.refused, refusal: l.refusal(action), strikes: strikes})
}

// refuseTranslated is what a limit does where a challenge is not possible: before conntrack the packet had another
// destination, which no policy names, so its source can neither be challenged nor prove itself.
func (l *limit) refuseTranslated() []Statement {
	return l.service.refuse(outcome{
		address: l.address, counter: l.refused, refusal: l.refusal(l.action), variant: "translated",
		strikes: l.Ban != nil && l.Ban.Proof == policy.ProofNone,
	})
}

// challenge is what a limit does with an excess that may be one.
func (l *limit) challenge() []Statement {
	return []Statement{Verdict{Kind: Goto, Chain: l.floodAddress() + ".challenge"}}
}

type meterKey struct {
	suffix string
	field  Field
	size   uint32
}

// keys are what the limit counts by: a source's prefix in each family. A limit on the total counts by the transport
// protocol, which is the same for every packet of a policy: one element for both families.
func (l *limit) keys() []meterKey {
	if l.Per == policy.PerTotal {
		return []meterKey{{"total", Field{Name: L4Proto}, 1}}
	}
	return []meterKey{
		{"v4", Field{Name: IPSaddr, Prefix: l.IPv4Prefix}, l.TableSize},
		{"v6", Field{Name: IP6Saddr, Prefix: l.IPv6Prefix}, l.TableSize},
	}
}

// parameters names the values an element is born with. The kernel never passes a changed rate or count on to elements
// that exist, so a changed limit needs a set of another name; one that is as it was keeps its set and its state.
func (l *limit) parameters() string {
	text := fmt.Sprintf("connections=%d per=%s v4=%d v6=%d size=%d", l.connections, l.Per, l.IPv4Prefix, l.IPv6Prefix, l.TableSize)
	if l.rate != nil {
		text += fmt.Sprintf(" rate=%d/%d burst=%d window=%s", l.rate.Count, l.rate.Interval, l.burst, l.window)
	}
	return shortHash(text)
}

// statement is what counts, and how long an idle element stays.
func (l *limit) statement() (Meter, time.Duration, error) {
	if l.rate == nil {
		// conncount elements leave by themselves when their last connection does.
		return Meter{ConnectionsOver: l.connections}, 0, nil
	}
	var over LimitOver
	var err error
	var timeout time.Duration
	if l.window == policy.WindowFixed {
		over, err = fixedWindow(*l.rate)
		timeout = tick(l.rate.Interval)
	} else {
		over, err = tokenBucket(*l.rate, l.burst)
		timeout = refill(*l.rate, l.burst)
	}
	if err != nil {
		return Meter{}, 0, &CompileError{Address: l.address, Reason: err.Error(), Range: l.at}
	}
	// A fixed window runs from a source's first connection (add); a bucket may be forgotten once it is full again,
	// counted from the last connection (update).
	return Meter{Over: &over, Update: l.window == policy.WindowToken}, timeout, nil
}

// tick rounds a timeout up to what every kernel holds exactly: it keeps them in clock ticks, rounded down, and shows the
// result. 20 ms is a whole number of ticks at 100, 250, 300 and 1000 Hz.
func tick(d time.Duration) time.Duration {
	const ticks = 20 * time.Millisecond
	return (d + ticks - 1) / ticks * ticks
}

var units = []Unit{Second, Minute, Hour, Day, Week}

// tokenBucket puts a rate into the units nft has. Where none fits evenly the rate per week is rounded down, so that
// never more is admitted than declared; the error is below 1 in 50000 for any rate of at least one in ten seconds.
func tokenBucket(r policy.Rate, burst uint32) (LimitOver, error) {
	for _, u := range units {
		n, rest := perUnit(r, u)
		if rest == 0 && n > 0 {
			return checked(LimitOver{Rate: n, Unit: u, Burst: burst})
		}
	}
	n, _ := perUnit(r, Week)
	if n == 0 {
		return LimitOver{}, fmt.Errorf("rate %s is slower than one a week, the slowest the kernel's limit can hold", rateText(r))
	}
	return checked(LimitOver{Rate: n, Unit: Week, Burst: burst})
}

// perUnit is how many events of the rate fall into the unit, and what is left over.
func perUnit(r policy.Rate, u Unit) (n, rest uint64) {
	hi, lo := bits.Mul64(r.Count, uint64(u)*uint64(time.Second))
	if hi >= uint64(r.Interval) {
		return 0, 1 // more than 64 bits: a smaller unit must do
	}
	return bits.Div64(hi, lo, uint64(r.Interval))
}

// fixedWindow admits Count in the life of an element, whose timeout is the window: a bucket of that size whose next
// token comes only after the window has ended.
func fixedWindow(r policy.Rate) (LimitOver, error) {
	for _, u := range units {
		if window := time.Duration(u) * time.Second; window > r.Interval {
			if r.Count > math.MaxUint32 {
				break
			}
			// The fewest tokens a unit that still come too late leave the most room for the bucket's size.
			late := uint64((window - 1) / r.Interval)
			return checked(LimitOver{Rate: max(late, 1), Unit: u, Burst: uint32(r.Count)})
		}
	}
	return LimitOver{}, fmt.Errorf("a fixed window must be shorter than a week and admit fewer than %d", uint64(math.MaxUint32))
}

// checked refuses what the kernel's nanosecond arithmetic cannot hold: nft_limit_init keeps burst times the cost of one
// packet in 64 bits and, before Linux 6.10, lets it wrap.
func checked(l LimitOver) (LimitOver, error) {
	cost := uint64(l.Unit) * uint64(time.Second) / l.Rate
	if hi, _ := bits.Mul64(cost, uint64(l.Burst)); hi != 0 || cost == 0 {
		return LimitOver{}, fmt.Errorf("%d in one go at %d/%s overflows the kernel's token arithmetic; lower the burst or shorten the period", l.Burst, l.Rate, l.Unit)
	}
	return l, nil
}

// refill is how long an emptied bucket takes to be full, in whole seconds: an element that expires after it forgets
// nothing.
func refill(r policy.Rate, burst uint32) time.Duration {
	const longest = 10 * 365 * 24 * 3600 // the reboot comes first
	seconds := math.Ceil(float64(burst) * r.Interval.Seconds() / float64(r.Count))
	return time.Duration(min(seconds, longest)+1) * time.Second
}
