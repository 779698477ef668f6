// Package traffic makes the traffic of a drill: legitimate clients and the server they visit, attackers that complete
// handshakes, and floods of packets that do not. It opens sockets only through a Space, so that they belong to the
// network namespace the caller means.
package traffic

// Space runs a function where sockets belong to one network namespace.
type Space interface {
	Do(f func() error) error
}
