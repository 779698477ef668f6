package main

import (
	"path/filepath"
	"time"

	"github.com/tcpguard/tcpguard/enforcer"
	"github.com/tcpguard/tcpguard/enforcer/nft"
	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/internal/nettest"
	"github.com/tcpguard/tcpguard/policy"
)

// committer does in this process what an apply does between reading the policy and verifying, so that the steps can be
// timed apart. It has a namespace of its own.
type committer struct {
	b    *bench
	conn *nft.Conn
	kept parts // what the kernel holds
}

// parts gives lists' contents by digest, as tcpguard keeps them in its state directory.
type parts map[string]addrset.Part

func (p parts) Part(digest string) (addrset.Part, bool) {
	part, ok := p[digest]
	return part, ok
}

func (b *bench) newCommitter() *committer {
	c := &committer{b: b}
	nettest.New(b).Do(b, func() {
		var err error
		if c.conn, err = nft.Open(); err != nil {
			b.Fatalf("open netlink socket: %v", err)
		}
	})
	b.Cleanup(func() { c.conn.Close() })
	return c
}

// apply leads the kernel to what the folder declares, and tells how long it took to find the difference and how long
// the transaction took.
func (c *committer) apply(folder string) (diff, commit time.Duration) {
	bundle, diagnostics := policy.Load(policy.Options{Paths: []string{filepath.Join(folder, "policy.hcl")}})
	if diagnostics.HasErrors() {
		c.b.Fatalf("load %s: %v", folder, diagnostics)
	}
	desired, err := enforcer.Compile(bundle)
	if err == nil {
		err = nft.Normalize(desired)
	}
	if err != nil {
		c.b.Fatalf("compile %s: %v", folder, err)
	}
	actual, generation, err := c.conn.Read()
	if err != nil {
		c.b.Fatalf("read the kernel: %v", err)
	}
	started := time.Now()
	delta := enforcer.Diff(actual, desired, c.kept)
	compared := time.Now()
	if err := c.conn.Commit(delta.Transaction, generation); err != nil {
		c.b.Fatalf("%v", err)
	}
	committed := time.Now()
	c.kept = parts{}
	for _, list := range bundle.Lists {
		for kind := range addrset.NumKinds {
			part := list.Addresses.Part(kind)
			c.kept[part.Digest()] = part
		}
	}
	return compared.Sub(started), committed.Sub(compared)
}
