package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxInterval bounds durations: what a kernel timer in milliseconds can count in 32 bits is about 49 days.
const maxInterval = 49 * 24 * time.Hour

// parseDuration reads a Go duration, in which days may come first: "90s", "1h30m", "2d", "1d12h".
func parseDuration(text string) (time.Duration, error) {
	rest := text
	var total time.Duration
	if days, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errDuration(text)
		}
		total, rest = time.Duration(n)*24*time.Hour, after
	}
	if rest != "" || total == 0 {
		if len(rest) > 40 {
			return 0, errDuration(text)
		}
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, errDuration(text)
		}
		if total += d; d < 0 {
			return 0, errDuration(text)
		}
	}
	if total < time.Millisecond || total > maxInterval {
		return 0, fmt.Errorf("%q is outside 1ms to %dd", short(text), int(maxInterval/(24*time.Hour)))
	}
	return total, nil
}

func errDuration(text string) error {
	return fmt.Errorf("%q is not a duration; expected one such as \"90s\", \"10m\", \"1h30m\" or \"1d\"", short(text))
}

// parseRate reads "20/60s" or, for one unit of time, "20/s", "20/m", "20/h" or "20/d". maxCount bounds the number.
func parseRate(text string, maxCount uint64) (Rate, error) {
	count, interval, found := strings.Cut(text, "/")
	n, err := strconv.ParseUint(count, 10, 64)
	if !found || err != nil && !isDigits(count) {
		return Rate{}, fmt.Errorf("%q is not a rate; expected a number and a time, such as \"20/60s\" or \"200/s\"", short(text))
	}
	if err != nil || n == 0 || n > maxCount {
		return Rate{}, fmt.Errorf("%q counts %s; expected 1 to %d", short(text), short(count), maxCount)
	}
	switch interval {
	case "s", "m", "h", "d":
		interval = "1" + interval
	}
	d, err := parseDuration(interval)
	if err != nil {
		return Rate{}, err
	}
	return Rate{Count: n, Interval: d}, nil
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// mistake is a summary and detail for a value that cannot be used.
type mistake struct{ summary, detail string }

// parsePort reads "443" or "8000-8010".
func parsePort(text string) (PortRange, *mistake) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	if !isDigits(first) || !isDigits(last) {
		return PortRange{}, &mistake{"Not a port", fmt.Sprintf("%q is not a port; expected a number from 1 to 65535 or a range such as \"8000-8010\".", short(text))}
	}
	low, err1 := strconv.ParseUint(first, 10, 16)
	high, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || low == 0 || high == 0 {
		return PortRange{}, &mistake{"Port out of range", fmt.Sprintf("%s is outside the ports 1 to 65535.", short(text))}
	}
	if low > high {
		return PortRange{}, &mistake{"Reversed range", fmt.Sprintf("The range %s ends before it begins; write \"%d-%d\".", short(text), high, low)}
	}
	return PortRange{uint16(low), uint16(high)}, nil
}

// parsePrefix reads an address or a prefix without host bits.
func parsePrefix(text string) (netip.Prefix, *mistake) {
	addrText, bitsText, isPrefix := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(addrText)
	if err != nil || addr.Zone() != "" || addr.Is4In6() || isPrefix && !isDigits(bitsText) {
		return netip.Prefix{}, &mistake{"Not an address", fmt.Sprintf("%q is neither an address nor a prefix; expected one such as \"192.0.2.10\" or \"2001:db8::/32\".", short(text))}
	}
	if !isPrefix {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	bits, err := strconv.Atoi(bitsText)
	if err != nil || bits > addr.BitLen() {
		return netip.Prefix{}, &mistake{"Prefix too long", fmt.Sprintf("/%s is longer than the address; expected /0 to /%d.", short(bitsText), addr.BitLen())}
	}
	p := netip.PrefixFrom(addr, bits)
	if p.Masked() != p {
		return netip.Prefix{}, &mistake{"Address with host bits set", fmt.Sprintf("%s has bits set behind its prefix; write %s for the network or %s for the host.", text, p.Masked(), addr)}
	}
	return p, nil
}

// checkInterface says what is wrong with the name of an interface, following dev_valid_name of net/core/dev.c.
func checkInterface(name string) string {
	switch {
	case name == "" || len(name) > 15:
		return "has 1 to 15 characters"
	case name == "." || name == ".." || strings.ContainsAny(name, "/ \t\n\r\v\f\x00"):
		return "has no \"/\" and no white space"
	case strings.Contains(name, "*") || strings.HasSuffix(name, "+"):
		return "is exact, without wildcards"
	}
	return ""
}
