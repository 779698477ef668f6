package nft

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

const (
	readAttempts = 10
	readPause    = 2 * time.Millisecond // grows with each attempt
)

// Read gives the table as the kernel holds it, and the generation that this was. Rules have Wire, Canon, Comment and
// Handle. The elements of a set are there if dumped says so. When the ruleset changes while it is read, Read starts
// again, and gives ErrBusy after ten attempts.
func (c *Conn) Read() (*enforcer.Ruleset, uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for attempt := range readAttempts {
		before, err := c.generation()
		if err != nil {
			return nil, 0, fmt.Errorf("read nftables generation: %w", err)
		}
		rs, err := c.readOnce()
		after, genErr := c.generation()
		switch {
		case genErr != nil:
			return nil, 0, fmt.Errorf("read nftables generation: %w", genErr)
		case before == after && !errors.Is(err, errInterrupted):
			return rs, before, err
		}
		time.Sleep(time.Duration(attempt+1) * readPause)
	}
	return nil, 0, fmt.Errorf("read table %s: %w", enforcer.TableName, ErrBusy)
}

// readOnce reads everything; what it says is true only if the generation stands still meanwhile.
func (c *Conn) readOnce() (*enforcer.Ruleset, error) {
	rs := &enforcer.Ruleset{}
	err := c.request(unix.NFT_MSG_GETTABLE, 0, (*wire).table, func(body []byte) error {
		f, err := parseFields(body)
		rs.Exists, rs.Flags = true, f.u32(unix.NFTA_TABLE_FLAGS)
		return err
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return rs, nil
	case err != nil:
		return nil, fmt.Errorf("read table %s: %w", enforcer.TableName, err)
	}
	specs := map[string][]byte{}
	for _, part := range []struct {
		what string
		read func(*enforcer.Ruleset) error
	}{
		{"chains", c.readChains}, {"rules", c.readRules}, {"objects", c.readObjects}, {"flowtables", c.readFlowtables},
		{"sets", func(rs *enforcer.Ruleset) error { return c.readSets(rs, specs) }},
		{"elements", func(rs *enforcer.Ruleset) error { return c.readElements(rs, specs) }},
	} {
		if err := part.read(rs); err != nil {
			return nil, fmt.Errorf("read %s of table %s: %w", part.what, enforcer.TableName, err)
		}
	}
	slices.SortFunc(rs.Counters, func(a, b enforcer.Counter) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(rs.Sets, func(a, b enforcer.Set) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(rs.Chains, func(a, b enforcer.Chain) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(rs.Foreign, func(a, b enforcer.Foreign) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return rs, nil
}

// dump asks for all objects of a kind in our table. The table's name restricts rules, sets, objects and flowtables in
// the kernel; chains come for the whole family, so every message is checked.
func (c *Conn) dump(msg uint16, spec func(*wire), each func(*fields, []byte) error) error {
	return c.request(msg, unix.NLM_F_DUMP, spec, func(body []byte) error {
		f, err := parseFields(body)
		if err != nil || f.str(unix.NFTA_TABLE_NAME) != enforcer.TableName {
			return err
		}
		return each(f, body)
	})
}

func (c *Conn) readChains(rs *enforcer.Ruleset) error {
	return c.dump(unix.NFT_MSG_GETCHAIN, (*wire).table, func(f *fields, _ []byte) error {
		if f.u32(nftaChainFlags)&chainFlagBinding != 0 {
			return nil // belongs to a rule and goes with it
		}
		chain, err := decodeChain(f)
		rs.Chains = append(rs.Chains, chain)
		return err
	})
}

func (c *Conn) readRules(rs *enforcer.Ruleset) error {
	index := make(map[string]int, len(rs.Chains))
	for i := range rs.Chains {
		index[rs.Chains[i].Name] = i
	}
	return c.dump(unix.NFT_MSG_GETRULE, (*wire).table, func(f *fields, _ []byte) error {
		i, ok := index[f.str(unix.NFTA_RULE_CHAIN)]
		if !ok {
			return nil // in a chain that belongs to a rule
		}
		rule, err := decodeRule(f)
		rs.Chains[i].Rules = append(rs.Chains[i].Rules, rule)
		return err
	})
}

// readSets also gathers each set's specification as it was dumped.
func (c *Conn) readSets(rs *enforcer.Ruleset, specs map[string][]byte) error {
	return c.dump(unix.NFT_MSG_GETSET, (*wire).table, func(f *fields, body []byte) error {
		if f.u32(unix.NFTA_SET_FLAGS)&setFlagAnonymous != 0 {
			return nil // belongs to a rule and goes with it
		}
		s, known := decodeSet(f)
		specs[s.Name] = bytes.Clone(body)
		if !known {
			s.Raw = specs[s.Name]
		}
		rs.Sets = append(rs.Sets, s)
		return nil
	})
}

func (c *Conn) readObjects(rs *enforcer.Ruleset) error {
	return c.dump(unix.NFT_MSG_GETOBJ, (*wire).table, func(f *fields, _ []byte) error {
		name, kind := f.str(unix.NFTA_OBJ_NAME), f.u32(unix.NFTA_OBJ_TYPE)
		if kind != unix.NFT_OBJECT_COUNTER {
			rs.Foreign = append(rs.Foreign, enforcer.Foreign{Kind: fmt.Sprint(kindObject, kind), Name: name})
			return nil
		}
		data, err := parseFields(f.data[unix.NFTA_OBJ_DATA])
		rs.Counters = append(rs.Counters, enforcer.Counter{Name: name,
			Packets: data.u64(unix.NFTA_COUNTER_PACKETS), Bytes: data.u64(unix.NFTA_COUNTER_BYTES)})
		return err
	})
}

func (c *Conn) readFlowtables(rs *enforcer.Ruleset) error {
	err := c.dump(nftMsgGetFlowtable, (*wire).table, func(f *fields, _ []byte) error {
		rs.Foreign = append(rs.Foreign, enforcer.Foreign{Kind: kindFlowtable, Name: f.str(nftaFlowtableName)})
		return nil
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return nil // before Linux 4.16 there are none
	}
	return err
}

// setExists asks for a set by name.
func (c *Conn) setExists(name string) bool {
	err := c.request(unix.NFT_MSG_GETSET, 0, func(w *wire) {
		w.table()
		w.str(unix.NFTA_SET_NAME, name)
	}, func([]byte) error { return nil })
	return err == nil
}
