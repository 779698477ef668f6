package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/tcpguard/tcpguard/enforcer"
)

// digester collects one hash for each address, over the kernel objects that belong to it.
type digester map[string]hash.Hash

func (d digester) write(address string, format string, args ...any) {
	h, ok := d[address]
	if !ok {
		h = sha256.New()
		d[address] = h
	}
	fmt.Fprintf(h, format, args...)
	h.Write([]byte{0})
}

// sums gives each address's digest, 16 hex digits.
func (d digester) sums() map[string]string {
	out := make(map[string]string, len(d))
	for address, h := range d {
		out[address] = hex.EncodeToString(h.Sum(nil)[:8])
	}
	return out
}

// objectDigests says for each address what its declaration was compiled to. Live counts and the members of lists are
// no part of it; a list's content is, by the digest in its marker's comment.
func objectDigests(r *enforcer.Ruleset) map[string]string {
	d := digester{}
	writeObjects(r, func(address, format string, args ...any) { d.write(address, format, args...) })
	return d.sums()
}

// rulesetHash is a digest of the whole table as it was read.
func rulesetHash(h hash.Hash, r *enforcer.Ruleset) {
	fmt.Fprintf(h, "exists %v flags %d foreign %q\x00", r.Exists, r.Flags, r.Foreign)
	writeObjects(r, func(_, format string, args ...any) {
		fmt.Fprintf(h, format, args...)
		h.Write([]byte{0})
	})
}

func writeObjects(r *enforcer.Ruleset, write func(address, format string, args ...any)) {
	for _, c := range r.Counters {
		write(c.Address, "counter %s", c.Name)
	}
	for i := range r.Sets {
		s := &r.Sets[i]
		write(s.Address, "set %s %v %v %v %v %d %d %x", s.Name, s.Key, s.Verdicts, s.Interval, s.Dynamic, s.Timeout,
			s.Size, s.Raw)
		if s.Dynamic || s.Members != nil {
			continue // live state, and content that a marker's comment stands for
		}
		for _, e := range s.Elements {
			address := e.Address
			if address == "" {
				address = s.Address
			}
			write(address, "element %s %x %x %v", s.Name, e.Key, e.KeyEnd, verdictText(e.Verdict))
		}
	}
	for i := range r.Chains {
		c := &r.Chains[i]
		write(c.Address, "chain %s %s %d", c.Name, c.Hook, c.Priority)
		for _, rule := range c.Rules {
			address := rule.Address
			if address == "" {
				address = c.Address
			}
			write(address, "rule %s %s %x", c.Name, rule.Comment, rule.Canon)
		}
	}
}

func verdictText(v *enforcer.Verdict) string {
	if v == nil {
		return ""
	}
	return string(v.Kind) + " " + v.Chain
}

// kernelAddresses gives the declarations that the kernel's rule comments name, each with the hash it was made from;
// the hash of a list is "", because its marker carries a digest instead.
func kernelAddresses(r *enforcer.Ruleset) map[string]string {
	out := map[string]string{}
	for i := range r.Chains {
		for _, rule := range r.Chains[i].Rules {
			if m, ok := markOf(rule); ok {
				out[m.address] += "" // a list is there, and its rules may have told its hash already
			} else if words := strings.Fields(rule.Comment); len(words) == 2 && len(words[1]) == 8 {
				out[words[0]] = words[1]
			}
		}
	}
	return out
}
