// Package nft carries the normal form of package enforcer to the kernel and back, over one netlink socket and without
// the nft binary. Read gives the table as it is, Normalize gives a desired ruleset the bytes the kernel would show for
// it, Commit applies a transaction as one batch.
//
// The expressions of rules are built with github.com/google/nftables; tables, chains, sets and elements are encoded
// here, straight into the buffer that is sent, because a list of a million addresses must exist only once in memory.
// Nothing is decoded by that library: it drops what it does not know, and drift must not be dropped.
//
// The kernel's side of it all is net/netfilter/nf_tables_api.c and nfnetlink.c.
package nft
