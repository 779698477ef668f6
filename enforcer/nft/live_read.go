package nft

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// Live is what our table has counted and how full its sets are, without rules and without elements.
type Live struct {
	Exists   bool
	Counters []enforcer.Counter // sorted by name
	// Sets are sorted by name and have no elements. Count is -1 where the kernel does not say it and asking would cost
	// too much, see Live.
	Sets []enforcer.Set
}

const (
	// maxCounted is the largest size of a set whose elements are counted by fetching them, which a kernel before Linux
	// 6.16 leaves no other way to. A full one takes up to half a second.
	maxCounted = 1 << 16
	// countingTime is when counting stops in all sets together.
	countingTime = 2 * time.Second
)

// Live reads counters and sets. What it says is of one moment for each kind of object: packets go on counting
// meanwhile, and so nothing is gained by holding the generation. A dump that the kernel itself calls interrupted is
// repeated, with ErrBusy after ten attempts.
//
// Before Linux 6.16 the kernel does not say how many elements a set holds. Those of live sets of up to 65536 elements
// are then counted for up to two seconds.
func (c *Conn) Live() (*Live, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for attempt := range readAttempts {
		live, err := c.readLive()
		switch {
		case err == nil:
			return live, nil
		case !errors.Is(err, errInterrupted):
			return nil, fmt.Errorf("read counters and sets of table %s: %w", enforcer.TableName, err)
		}
		time.Sleep(time.Duration(attempt+1) * readPause)
	}
	return nil, fmt.Errorf("read counters and sets of table %s: %w", enforcer.TableName, ErrBusy)
}

func (c *Conn) readLive() (*Live, error) {
	err := c.request(unix.NFT_MSG_GETTABLE, 0, (*wire).table, func([]byte) error { return nil })
	if errors.Is(err, unix.ENOENT) {
		return &Live{}, nil
	}
	rs := &enforcer.Ruleset{}
	if err == nil {
		err = c.readObjects(rs)
	}
	if err == nil {
		err = c.readSets(rs, map[string][]byte{})
	}
	if err == nil {
		err = c.countLive(rs.Sets, maxCounted, time.Now().Add(countingTime))
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rs.Counters, func(a, b enforcer.Counter) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(rs.Sets, func(a, b enforcer.Set) int { return cmp.Compare(a.Name, b.Name) })
	return &Live{Exists: true, Counters: rs.Counters, Sets: rs.Sets}, nil
}

// countLive completes the counts of live sets. A set that is gone by now stays unknown.
func (c *Conn) countLive(sets []enforcer.Set, most uint32, until time.Time) error {
	for i := range sets {
		s := &sets[i]
		var err error
		switch {
		case !s.Live():
		case s.Count >= 0:
			err = c.correctCount(s)
		case s.Size > 0 && s.Size <= most && time.Now().Before(until):
			s.Count, err = c.countElements(s)
		}
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, errInterrupted):
			s.Count = -1
		case err != nil:
			return fmt.Errorf("set %s: %w", s.Name, err)
		}
	}
	return nil
}

// countElements fetches a set's elements only to count them; of a range its start counts.
func (c *Conn) countElements(s *enforcer.Set) (n int, err error) {
	err = c.eachElement(s.Name, func(data []byte) error {
		f, err := parseFields(data)
		if err == nil && f.u32(unix.NFTA_SET_ELEM_FLAGS)&nftSetElemFlagEnd == 0 {
			n++
		}
		return err
	})
	return n, err
}

// eachElement dumps a set's elements and calls f with the attributes of each.
func (c *Conn) eachElement(set string, f func(data []byte) error) error {
	return c.request(unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, func(w *wire) {
		w.table()
		w.str(unix.NFTA_SET_ELEM_LIST_SET, set)
	}, func(body []byte) error {
		return eachAttr(body, func(typ uint16, list []byte) error {
			if typ != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				return nil
			}
			return eachAttr(list, func(_ uint16, data []byte) error { return f(data) })
		})
	})
}
