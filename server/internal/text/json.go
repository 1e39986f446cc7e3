package text

import (
	"bytes"
	"fmt"
)

// DEL and the upper control characters (U+0080 to U+009F, which in UTF-8 are this
// byte and another one) are those that encoding/json leaves as they are.
const (
	del          = 0x7f
	upperLead    = 0xc2
	upperControl = 0x20
)

// EscapedJSON returns JSON with all control characters in its texts escaped: some
// terminals obey U+009B as they do ESC [, and people look at replies with curl. They can
// stand only in texts, and no other character holds those bytes.
func EscapedJSON(p []byte) []byte {
	if bytes.IndexByte(p, del) < 0 && bytes.IndexByte(p, upperLead) < 0 {
		return p
	}
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		switch {
		case p[i] == del:
			out = fmt.Appendf(out, `\u%04x`, del)
		case p[i] == upperLead && i+1 < len(p) && p[i+1]-0x80 < upperControl:
			i++
			out = fmt.Appendf(out, `\u%04x`, p[i])
		default:
			out = append(out, p[i])
		}
	}
	return out
}
