package enforcer

import "github.com/tcpguard/tcpguard/policy"

// Forged SYNs take what they are counted for: connections until conntrack forgets the half-open ones, tokens until the
// bucket fills again, places in the tables. So who has not proved itself may take half of each, counted in a table of
// their own, and the rest is kept for who has: an innocent whose address is forged finds room as soon as it is
// challenged, and as long as it lives on half of its limits it is not refused, nor banned, for what others did in its
// name. A client that goes over the unproven's half is asked to prove itself, which costs it one retransmission a minute,
// and gets exactly its limit.

// share is what the unproven may take of n; of one, all.
func share[N uint32 | uint64](n N) N { return max(n/2, 1) }

// unproven is the limit on what is not proven, within the limit itself.
func (l *limit) unproven() (*limit, error) {
	u := *l
	u.name = l.address + ".unproven"
	u.connections, u.burst, u.TableSize = share(l.connections), share(l.burst), share(l.TableSize)
	if l.rate != nil && l.window == policy.WindowFixed {
		u.rate = &policy.Rate{Count: share(l.rate.Count), Interval: l.rate.Interval}
	} else if l.rate != nil {
		u.rate = &policy.Rate{Count: l.rate.Count, Interval: 2 * l.rate.Interval}
	}
	return &u, u.declareSets()
}

// challengeUnproven challenges who is over the unproven's share, or does not fit into its table any more, before the
// limit itself hears of it.
func (s *service) challengeUnproven(limits []*limit) error {
	var shares []*limit
	for _, l := range limits {
		u, err := l.unproven()
		if err != nil {
			return err
		}
		u.meters(u.challenge())
		shares = append(shares, u)
	}
	for _, u := range shares {
		if u.OnFull == policy.OnFullPass {
			continue
		}
		for _, key := range u.keys() {
			missed := MatchSet{Fields: []Field{key.field}, Set: u.set(key), Negate: true}
			u.add(u.address, append([]Statement{missed}, u.challenge()...)...)
		}
	}
	return nil
}
