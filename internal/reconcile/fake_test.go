package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/host"
	"github.com/tcpguard/tcpguard/policy"
	"github.com/tcpguard/tcpguard/sysctl"
)

// fakeKernel is a packet filter in memory. Like the kernel it takes a transaction whole or not at all, shows small
// sets entirely and only counts the members of lists.
type fakeKernel struct {
	rules      enforcer.Ruleset
	generation uint32
	commits    int

	fail   []error // what the next commits answer, without taking anything; nil takes the transaction
	before func()  // called at the beginning of each commit, as another program would act
	after  func()  // called once a commit was taken
}

func (k *fakeKernel) Normalize(r *enforcer.Ruleset) error { return nft.Normalize(r) }

func (k *fakeKernel) Read() (*enforcer.Ruleset, uint32, error) {
	out := k.rules
	out.Counters = slices.Clone(k.rules.Counters)
	out.Sets = slices.Clone(k.rules.Sets)
	out.Chains = slices.Clone(k.rules.Chains)
	for i := range out.Sets {
		s := &out.Sets[i]
		s.Address, s.Members = "", nil
		s.Elements = slices.Clone(s.Elements)
		s.Listed = !s.Dynamic && s.Count < 0
		for j := range s.Elements {
			s.Elements[j].Address = ""
		}
	}
	for i := range out.Chains {
		c := &out.Chains[i]
		c.Address = ""
		c.Rules = slices.Clone(c.Rules)
		for j := range c.Rules {
			r := &c.Rules[j]
			r.Statements = nil
			r.Address, _, _ = strings.Cut(r.Comment, " ")
		}
	}
	for i := range out.Counters {
		out.Counters[i].Address = ""
	}
	return &out, k.generation, nil
}

func (k *fakeKernel) Commit(tx *enforcer.Transaction, generation uint32) error {
	if k.before != nil {
		k.before()
	}
	if generation != k.generation {
		return &StaleError{}
	}
	if len(k.fail) > 0 {
		err := k.fail[0]
		k.fail = k.fail[1:]
		if err != nil {
			return err
		}
	}
	backup, _, _ := k.Read()
	for _, op := range tx.Ops {
		if err := k.take(op); err != nil {
			k.rules = *backup
			return &StepError{Step: "commit", Address: op.Address, Err: err}
		}
	}
	k.generation++
	k.commits++
	if k.after != nil {
		k.after()
	}
	return nil
}

// take does one step and refuses what the kernel refuses: adding what is there, deleting what is not.
func (k *fakeKernel) take(op enforcer.Op) error {
	r := &k.rules
	switch {
	case op.Table && op.Verb == enforcer.Delete:
		*r = enforcer.Ruleset{}
		return nil
	case op.Table:
		r.Exists = true
		return nil
	case !r.Exists:
		return errors.New("no such table")
	case op.Counter != nil:
		return edit(&r.Counters, op.Verb, *op.Counter, func(c *enforcer.Counter) string { return c.Name })
	case op.Set != nil:
		set := *op.Set
		set.Members, set.Elements, set.Count = nil, nil, -1
		return edit(&r.Sets, op.Verb, set, func(s *enforcer.Set) string { return s.Name })
	case op.Chain != nil && op.Verb == enforcer.Flush:
		k.chain(op.Chain.Name).Rules = nil
		return nil
	case op.Chain != nil:
		chain := *op.Chain
		chain.Rules = nil
		return edit(&r.Chains, op.Verb, chain, func(c *enforcer.Chain) string { return c.Name })
	case op.Rule != nil:
		c := k.chain(op.InChain)
		c.Rules = append(c.Rules, *op.Rule)
		return nil
	case op.InSet != nil:
		return k.content(op)
	}
	return fmt.Errorf("no such step: %+v", op)
}

func (k *fakeKernel) content(op enforcer.Op) error {
	s := k.set(op.InSet.Name)
	if op.Members != nil {
		n := op.Members.Len()
		if op.Verb == enforcer.Delete {
			n = -n
		}
		s.Count = max(s.Count, 0) + n
		return nil
	}
	for _, e := range op.Elements {
		err := edit(&s.Elements, op.Verb, e, func(e *enforcer.Element) string { return string(e.Key) + "-" + string(e.KeyEnd) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *fakeKernel) chain(name string) *enforcer.Chain {
	for i := range k.rules.Chains {
		if c := &k.rules.Chains[i]; c.Name == name {
			return c
		}
	}
	panic("no chain " + name)
}

func (k *fakeKernel) set(name string) *enforcer.Set {
	for i := range k.rules.Sets {
		if s := &k.rules.Sets[i]; s.Name == name {
			return s
		}
	}
	panic("no set " + name)
}

// edit adds or deletes one named item and keeps the order by name.
func edit[T any](items *[]T, verb enforcer.Verb, item T, name func(*T) string) error {
	at, found := slices.BinarySearchFunc(*items, name(&item), func(x T, want string) int {
		return strings.Compare(name(&x), want)
	})
	switch {
	case verb == enforcer.Delete && !found:
		return fmt.Errorf("delete %q: no such object", name(&item))
	case verb == enforcer.Delete:
		*items = slices.Delete(*items, at, at+1)
	case found:
		return nil // as NLM_F_CREATE without NLM_F_EXCL
	default:
		*items = slices.Insert(*items, at, item)
	}
	return nil
}

// fakeSettings is a tree of sysctls in memory.
type fakeSettings struct {
	values map[string][]string
	broken map[string]error // keys whose write fails
	clamp  map[string][]string
	writes []string
}

func (s *fakeSettings) Read(keys []string) ([]sysctl.State, error) {
	var out []sysctl.State
	for _, k := range keys {
		v, ok := s.values[k]
		out = append(out, sysctl.State{Key: k, Value: v, Missing: !ok})
	}
	return out, nil
}

func (s *fakeSettings) Apply(step sysctl.Step) error {
	if err := s.broken[step.Key]; err != nil {
		return err
	}
	s.values[step.Key] = step.After
	if v, ok := s.clamp[step.Key]; ok {
		s.values[step.Key] = v
		return &sysctl.ReadBackError{Key: step.Key, Asked: step.After, Held: v}
	}
	s.writes = append(s.writes, step.Key+"="+sysctl.Join(step.After))
	return nil
}

func (s *fakeSettings) Undo(done []sysctl.Step) error {
	for _, step := range slices.Backward(done) {
		s.values[step.Key] = step.Before
		s.writes = append(s.writes, step.Key+"="+sysctl.Join(step.Before))
	}
	return nil
}

func (s *fakeSettings) WithFollowers(steps []sysctl.Step) ([]sysctl.Step, error) {
	return slices.Clone(steps), nil
}

// fakeHost is a Reconciler over fakes, in directories of its own.
type fakeHost struct {
	*Reconciler
	kernel   *fakeKernel
	settings *fakeSettings
	machine  *fakeMachine
}

// fakeMachine is a host in memory.
type fakeMachine struct {
	epoch     string
	listeners []host.Listener
	conflicts []sysctl.Conflict
}

func (m *fakeMachine) Facts() (policy.Facts, error) {
	return policy.Facts{Name: "edge", CPUs: 2, MemoryMiB: 4096}, nil
}

func (m *fakeMachine) Epoch() (string, error) { return m.epoch, nil }

func (m *fakeMachine) Listeners(context.Context) ([]host.Listener, error) { return m.listeners, nil }

func (m *fakeMachine) Conflicts([]sysctl.Setting) ([]sysctl.Conflict, error) { return m.conflicts, nil }

func newFakeHost(t testing.TB) *fakeHost {
	t.Helper()
	k := &fakeKernel{generation: 7}
	s := &fakeSettings{
		values: map[string][]string{"net.core.somaxconn": {"128"}, "net.ipv4.tcp_syncookies": {"0"}},
		broken: map[string]error{}, clamp: map[string][]string{},
	}
	m := &fakeMachine{epoch: "boot 1"}
	r := newReconciler(Options{StateDir: t.TempDir(), RunDir: t.TempDir(), Version: "0.1.0"}, k, s, m)
	r.pause = func(context.Context, int) error { return nil }
	return &fakeHost{Reconciler: r, kernel: k, settings: s, machine: m}
}
