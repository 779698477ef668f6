package drill

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpguard/tcpguard/enforcer"
)

// isBanSet says whether a set holds the sources that a policy has banned: policy.NAME.ban.v4 or .v6.
func isBanSet(name string) bool {
	return strings.HasPrefix(name, "policy.") && (strings.HasSuffix(name, ".ban.v4") || strings.HasSuffix(name, ".ban.v6"))
}

// banned gives the addresses in a set of the calling thread's namespace. They are masked as the policy groups sources.
func banned(set string) ([]netip.Addr, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", set, err)
	}
	defer conn.Close()
	ask := netlink.NewAttributeEncoder()
	ask.String(unix.NFTA_SET_ELEM_LIST_TABLE, enforcer.TableName)
	ask.String(unix.NFTA_SET_ELEM_LIST_SET, set)
	attributes, err := ask.Encode()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", set, err)
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETSETELEM,
			Flags: netlink.Request | netlink.Dump,
		},
		Data: append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, attributes...),
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", set, err)
	}
	var out []netip.Addr
	for _, m := range answers {
		if len(m.Data) < 4 {
			continue
		}
		if out, err = appendElements(out, m.Data[4:]); err != nil {
			return nil, fmt.Errorf("list %s: %w", set, err)
		}
	}
	return out, nil
}

// appendElements reads one message's elements: list, element, key and value are nested in each other.
func appendElements(out []netip.Addr, data []byte) ([]netip.Addr, error) {
	d, err := netlink.NewAttributeDecoder(data)
	if err != nil {
		return out, err
	}
	value := func(d *netlink.AttributeDecoder) error {
		for d.Next() {
			if a, ok := netip.AddrFromSlice(d.Bytes()); ok && d.Type() == unix.NFTA_DATA_VALUE {
				out = append(out, a)
			}
		}
		return nil
	}
	element := func(d *netlink.AttributeDecoder) error {
		for d.Next() {
			if d.Type() == unix.NFTA_SET_ELEM_KEY {
				d.Nested(value)
			}
		}
		return nil
	}
	for d.Next() {
		if d.Type() == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			d.Nested(func(d *netlink.AttributeDecoder) error {
				for d.Next() {
					d.Nested(element)
				}
				return nil
			})
		}
	}
	return out, d.Err()
}
