// Package nettest is test support: it makes throwaway network namespaces, joins them by veth pairs and sends real
// packets through them, so that tests can show what the kernel does instead of what its rules say. No product package
// imports it; it alone beside the tests themselves may run other programs (nft, conntrack), which serve as oracles.
//
// Everything that a test makes is removed by its Cleanup, also after a failure. What a killed test process left behind
// is removed by the next one.
package nettest

// T is the part of testing.TB that this package needs; every *testing.T and *testing.B is one. It is an interface of
// our own so that the benchmark command, which is no test, can use the same namespaces.
type T interface {
	Helper()
	Cleanup(func())
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}
