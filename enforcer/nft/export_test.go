package nft

import "github.com/tcpguard/tcpguard/enforcer"

// EncodeOnly encodes one step without sending it.
func EncodeOnly(op enforcer.Op) error {
	_, err := encodeBatch(&enforcer.Transaction{Ops: []enforcer.Op{op}}, 1, 1)
	return err
}
