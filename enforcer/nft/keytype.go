package nft

import (
	"fmt"

	"github.com/google/nftables"

	"github.com/tcpguard/tcpguard/enforcer"
)

// keyField is what nft and the kernel need to know of one field of a key.
type keyField struct {
	magic uint32 // nft's number for the data type, six bits; the kernel only stores it
	width int    // bytes
}

func fieldOf(k enforcer.KeyType) (keyField, bool) {
	t := nftables.TypeInvalid
	switch k {
	case enforcer.KeyIPv4:
		t = nftables.TypeIPAddr
	case enforcer.KeyIPv6:
		t = nftables.TypeIP6Addr
	case enforcer.KeyPort:
		t = nftables.TypeInetService
	case enforcer.KeyIfname:
		t = nftables.TypeIFName
	case enforcer.KeyL4Proto:
		t = nftables.TypeInetProto
	}
	return keyField{magic: t.GetNFTMagic(), width: int(t.Bytes)}, t.Bytes != 0
}

// typeBits is how many bits of NFTA_SET_KEY_TYPE one field of a concatenation takes (nft's TYPE_BITS).
const typeBits = 6

// keySpec gives the packed type and the length in bytes of a set's key: a single field as it is, the fields of a
// concatenation padded to the kernel's four-byte registers.
func keySpec(key []enforcer.KeyType) (magic uint32, length int, err error) {
	if len(key) == 0 || len(key) > 5 {
		return 0, 0, fmt.Errorf("a key has 1 to 5 fields, not %d", len(key))
	}
	for _, k := range key {
		f, ok := fieldOf(k)
		if !ok {
			return 0, 0, fmt.Errorf("unknown key type %q", k)
		}
		magic = magic<<typeBits | f.magic
		if len(key) == 1 {
			return magic, f.width, nil
		}
		length += align(f.width)
	}
	return magic, length, nil
}

// keyTypes undoes keySpec. It reports false for a type this package has no name for, or a length that does not fit.
func keyTypes(magic uint32, length int) ([]enforcer.KeyType, bool) {
	var key []enforcer.KeyType
	for ; magic != 0; magic >>= typeBits {
		k, ok := typeOf(magic & (1<<typeBits - 1))
		if !ok {
			return nil, false
		}
		key = append([]enforcer.KeyType{k}, key...)
	}
	_, want, err := keySpec(key)
	return key, err == nil && want == length
}

func typeOf(magic uint32) (enforcer.KeyType, bool) {
	for _, k := range []enforcer.KeyType{enforcer.KeyIPv4, enforcer.KeyIPv6, enforcer.KeyPort, enforcer.KeyIfname, enforcer.KeyL4Proto} {
		if f, _ := fieldOf(k); f.magic == magic {
			return k, true
		}
	}
	return "", false
}
