package addrset

// parse4 reads an IPv4 address from the beginning of text and gives its value and length, or length 0 when there is
// none. It accepts exactly what netip.ParseAddr does, as the fuzzer holds, and needs a tenth of the time.
func parse4(text []byte) (value uint32, length int) {
	i := 0
	for octet := range 4 {
		if octet > 0 {
			if i >= len(text) || text[i] != '.' {
				return 0, 0
			}
			i++
		}
		begin, v := i, uint32(0)
		for i < len(text) && i < begin+4 {
			digit := text[i] - '0'
			if digit > 9 {
				break
			}
			v = v*10 + uint32(digit)
			i++
		}
		if digits := i - begin; digits == 0 || v > 255 || digits > 1 && text[begin] == '0' {
			return 0, 0
		}
		value = value<<8 | v
	}
	return value, i
}

// parse6 reads a whole text as an IPv6 address of hexadecimal groups. What it refuses may still be one: an address
// with an IPv4 tail or a zone.
func parse6(text []byte) (a Addr6, ok bool) {
	var groups [8]uint16
	n, gap, i := 0, -1, 0 // groups read, groups before "::", position
	if len(text) >= 2 && text[0] == ':' && text[1] == ':' {
		gap, i = 0, 2
	}
	for i < len(text) {
		if n == 8 {
			return Addr6{}, false
		}
		v, digits := uint32(0), 0
		for ; i < len(text) && digits < 5; digits++ {
			d := hexDigit(text[i])
			if d > 15 {
				break
			}
			v = v<<4 | uint32(d)
			i++
		}
		if digits == 0 || digits > 4 {
			return Addr6{}, false
		}
		groups[n] = uint16(v)
		n++
		if i == len(text) {
			break
		}
		if text[i] != ':' || i+1 == len(text) {
			return Addr6{}, false
		}
		if i++; text[i] == ':' {
			if gap >= 0 {
				return Addr6{}, false
			}
			gap = n
			i++
		}
	}
	if gap >= 0 {
		// "::" stands for at least one group.
		if n == 8 {
			return Addr6{}, false
		}
		copy(groups[8-(n-gap):], groups[gap:n])
		clear(groups[gap : 8-(n-gap)])
	} else if n != 8 {
		return Addr6{}, false
	}
	for g := range 4 {
		a.Hi = a.Hi<<16 | uint64(groups[g])
		a.Lo = a.Lo<<16 | uint64(groups[g+4])
	}
	return a, true
}

// hexDigit is the value of a hexadecimal digit, or more than 15.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
