package reconcile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"net/netip"
	"reflect"

	"github.com/tcpguard/tcpguard/internal/addrset"
	"github.com/tcpguard/tcpguard/policy"
)

// PolicyHash is the hex SHA-256 of what a bundle declares. Files, lines and descriptions are no part of it, nor is the
// order in which things were written; a list counts by its addresses, not by the file they came from.
func PolicyHash(b *policy.Bundle) string {
	h := sha256.New()
	if b != nil {
		hashValue(h, reflect.ValueOf(*b))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// notMeaning says which fields of the bundle's types name a place and not a meaning.
func notMeaning(f reflect.StructField) bool {
	if f.Type == reflect.TypeFor[policy.Range]() {
		return true
	}
	switch f.Name {
	case "Files", "File", "Description":
		return true
	}
	return false
}

// hashValue walks a value by reflection, so that a field added to the language is covered from its first day. Each
// value is preceded by its kind and length, so that no two different bundles write the same bytes.
func hashValue(h hash.Hash, v reflect.Value) {
	switch x := v.Interface().(type) {
	case addrset.Set:
		hashText(h, setDigest(&x))
		return
	case netip.Prefix:
		hashText(h, x.String())
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			hashText(h, "nil")
			return
		}
		hashValue(h, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); !notMeaning(f) {
				hashText(h, f.Name)
				hashValue(h, v.Field(i))
			}
		}
	case reflect.Slice:
		hashNumber(h, uint64(v.Len()))
		for i := range v.Len() {
			hashValue(h, v.Index(i))
		}
	case reflect.String:
		hashText(h, v.String())
	default:
		hashText(h, fmt.Sprint(v.Interface()))
	}
}

func hashText(h hash.Hash, s string) {
	hashNumber(h, uint64(len(s)))
	h.Write([]byte(s))
}

func hashNumber(h hash.Hash, n uint64) {
	h.Write(binary.BigEndian.AppendUint64(nil, n))
}
