//go:build !faultpoints

package fault

// Enabled says whether this build honours TCPGUARD_FAULT.
const Enabled = false

// Point does nothing in an ordinary build.
func Point(Name) {}
