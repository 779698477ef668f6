package addrset

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// blanks may stand around an entry and around the dash of a range.
const blanks = " \t"

// mistake is what is wrong with an entry and how many bytes into it.
type mistake struct {
	offset int
	reason string
}

// AddText adds one entry as a list file writes it: an address, a prefix or "first-last". The error tells what is
// wrong and does not repeat the text.
func (b *Builder) AddText(text string) error {
	trimmed := bytes.Trim([]byte(text), blanks)
	if bad := b.addText(trimmed); bad != nil {
		return errors.New(bad.reason)
	}
	return nil
}

// addText adds one entry that has no blanks around it.
func (b *Builder) addText(text []byte) *mistake {
	if i := bytes.IndexByte(text, '/'); i >= 0 {
		return b.addPrefixText(text, i)
	}
	if i := bytes.IndexByte(text, '-'); i >= 0 {
		return b.addRangeText(text, i)
	}
	addr, bad := parseAddr(text)
	if bad != nil {
		return bad
	}
	return wrong(0, b.AddAddr(addr))
}

// addPrefixText adds "address/bits" with the slash at text[slash].
func (b *Builder) addPrefixText(text []byte, slash int) *mistake {
	addr, bad := parseAddr(text[:slash])
	if bad != nil {
		return bad
	}
	if err := checkAddr(addr); err != nil {
		return wrong(0, err)
	}
	digits := text[slash+1:]
	length, ok := parseLength(digits)
	if !ok || length > addr.BitLen() {
		return &mistake{slash + 1, fmt.Sprintf("prefix length must be a number from 0 to %d", addr.BitLen())}
	}
	return wrong(0, b.AddPrefix(netip.PrefixFrom(addr, length)))
}

// addRangeText adds "first-last" with the dash at text[dash].
func (b *Builder) addRangeText(text []byte, dash int) *mistake {
	first, bad := parseAddr(bytes.TrimRight(text[:dash], blanks))
	if bad != nil {
		return bad
	}
	second := bytes.TrimLeft(text[dash+1:], blanks)
	offset := len(text) - len(second)
	last, bad := parseAddr(second)
	if bad != nil {
		bad.offset += offset
		return bad
	}
	if err := checkAddr(last); err != nil {
		return wrong(offset, err)
	}
	return wrong(0, b.AddRange(first, last))
}

func wrong(offset int, err error) *mistake {
	if err == nil {
		return nil
	}
	return &mistake{offset, err.Error()}
}

// parseLength reads a prefix length: one to three digits, no sign, no leading zero.
func parseLength(digits []byte) (int, bool) {
	if len(digits) == 0 || len(digits) > 3 || len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// parseAddr reads an address; the fast paths take nearly all, netip decides about the rest.
func parseAddr(text []byte) (netip.Addr, *mistake) {
	if v, n := parse4(text); n > 0 && n == len(text) {
		return Addr4(v), nil
	}
	if a, ok := parse6(text); ok {
		return a.Addr(), nil
	}
	// The longest address has 45 bytes; a zone is refused anyway, and a long text must not be copied.
	if len(text) <= 64 {
		if addr, err := netip.ParseAddr(string(text)); err == nil {
			return addr, nil
		}
	}
	return netip.Addr{}, explain(text)
}

// explain says why a text is no address, in the words of what people write by mistake.
func explain(text []byte) *mistake {
	if len(text) == 0 {
		return &mistake{0, "an IP address is missing"}
	}
	if i := bytes.IndexAny(text, blanks+",;"); i > 0 {
		if _, bad := parseAddr(text[:i]); bad == nil {
			for i+1 < len(text) && bytes.IndexByte([]byte(blanks), text[i]) >= 0 {
				i++
			}
			return &mistake{i, fmt.Sprintf("unexpected %s after the address: one entry a line, comments begin with #", strconv.QuoteRune(rune(text[i])))}
		}
	}
	if bytes.IndexByte(text, 0) >= 0 || bytes.HasPrefix(text, []byte("\xff\xfe")) {
		return &mistake{0, "not text: the list must be UTF-8 or ASCII"}
	}
	if leadingZero(text) {
		return &mistake{0, "not an IP address: an octet with a leading zero could be meant as octal"}
	}
	return &mistake{0, "not an IP address, prefix or range"}
}

// leadingZero says whether the text would be an IPv4 address but for leading zeros.
func leadingZero(text []byte) bool {
	octets := bytes.Split(text, []byte{'.'})
	if len(octets) != 4 {
		return false
	}
	for i, octet := range octets {
		octet = bytes.TrimLeft(octet, "0")
		if len(octet) == 0 {
			octet = []byte{'0'}
		}
		octets[i] = octet
	}
	plain := bytes.Join(octets, []byte{'.'})
	_, n := parse4(plain)
	return n > 0 && n == len(plain) && len(plain) < len(text)
}
