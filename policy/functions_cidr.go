package policy

import (
	"math/big"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// cidrSubnetFunc is Terraform's: cidrsubnet("10.0.0.0/8", 8, 2) is "10.2.0.0/16".
var cidrSubnetFunc = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "prefix", Type: cty.String},
		{Name: "newbits", Type: cty.Number},
		{Name: "netnum", Type: cty.Number},
	},
	Type: function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := netip.ParsePrefix(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "expected a prefix such as \"10.0.0.0/8\"")
		}
		newBits, ok := smallInt(args[1], 0, p.Addr().BitLen()-p.Bits())
		if !ok {
			return cty.NilVal, function.NewArgErrorf(1, "expected a whole number from 0 to %d", p.Addr().BitLen()-p.Bits())
		}
		bits := p.Bits() + newBits
		number := wholeNumber(args[2])
		if number == nil || number.Sign() < 0 || number.BitLen() > newBits {
			return cty.NilVal, function.NewArgErrorf(2, "expected the number of a subnet: a whole number below 2 to the power of %d", newBits)
		}
		addr := offsetAddr(p.Masked().Addr(), number, p.Addr().BitLen()-bits)
		return cty.StringVal(netip.PrefixFrom(addr, bits).String()), nil
	},
})

// cidrHostFunc is Terraform's: cidrhost("10.0.0.0/24", 5) is "10.0.0.5", and -1 gives the last address.
var cidrHostFunc = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "prefix", Type: cty.String},
		{Name: "hostnum", Type: cty.Number},
	},
	Type: function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := netip.ParsePrefix(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "expected a prefix such as \"10.0.0.0/24\"")
		}
		hostBits := p.Addr().BitLen() - p.Bits()
		number := wholeNumber(args[1])
		if number != nil && number.Sign() < 0 {
			number.Add(number, new(big.Int).Lsh(big.NewInt(1), uint(hostBits)))
		}
		if number == nil || number.Sign() < 0 || number.BitLen() > hostBits {
			return cty.NilVal, function.NewArgErrorf(1, "expected the number of a host: %s has %d bits for it", p, hostBits)
		}
		return cty.StringVal(offsetAddr(p.Masked().Addr(), number, 0).String()), nil
	},
})

// offsetAddr gives base + number<<shift; the caller has made sure that it stays within the family.
func offsetAddr(base netip.Addr, number *big.Int, shift int) netip.Addr {
	bytes := base.AsSlice()
	sum := new(big.Int).SetBytes(bytes)
	sum.Add(sum, new(big.Int).Lsh(number, uint(shift)))
	sum.FillBytes(bytes)
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

// wholeNumber gives a number of moderate size as an integer, or nil.
func wholeNumber(v cty.Value) *big.Int {
	f := v.AsBigFloat()
	if !f.IsInt() || f.MantExp(nil) > 256 {
		return nil
	}
	n, _ := f.Int(nil)
	return n
}

func smallInt(v cty.Value, low, high int) (int, bool) {
	n := wholeNumber(v)
	if n == nil || !n.IsInt64() || n.Int64() < int64(low) || n.Int64() > int64(high) {
		return 0, false
	}
	return int(n.Int64()), true
}
