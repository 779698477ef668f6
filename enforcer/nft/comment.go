package nft

import (
	"fmt"
	"strings"

	"github.com/google/nftables/userdata"
)

// maxComment is the longest comment nft prints (NFTNL_UDATA_COMMENT_MAXLEN), in bytes.
const maxComment = 128

// commentData gives a comment as nft keeps it in a rule's user data: type, length, and text with its zero.
func commentData(comment string) ([]byte, error) {
	if len(comment) > maxComment {
		return nil, fmt.Errorf("comment of %d bytes: nft shows at most %d", len(comment), maxComment)
	}
	if strings.ContainsRune(comment, 0) {
		return nil, fmt.Errorf("comment %q has a zero byte", comment)
	}
	if comment == "" {
		return nil, nil
	}
	return userdata.Append(nil, userdata.TypeComment, append([]byte(comment), 0)), nil
}

// decodeComment finds the comment in user data, which may hold anything: "" when there is none.
func decodeComment(b []byte) string {
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		typ, data := userdata.Type(b[0]), b[2:2+int(b[1])]
		if typ == userdata.TypeComment {
			return attrString(data)
		}
		b = b[2+len(data):]
	}
	return ""
}

// addressOf is the resource a comment names with its first word, or "" when the rule is not one of ours.
func addressOf(comment string) string {
	word, _, _ := strings.Cut(comment, " ")
	kind, _, _ := strings.Cut(word, ".")
	switch kind {
	case "policy", "list":
		if len(word) > len(kind)+1 {
			return word
		}
	case "management", "pipeline":
		return word
	}
	return ""
}
