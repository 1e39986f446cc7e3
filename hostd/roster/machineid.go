package roster

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"activity-tracker.example/server/api"
)

// UserPlaceholder stands for the user's name in a configured machine_id.
const UserPlaceholder = "{user}"

// hashBytes is how much of a user name's SHA-256 ends a machine_id that would
// be too long: 128 bits, so that two users never meet.
const hashBytes = 16

// MachineID returns the machine_id of a user. Two users never share one as long
// as the template names the user. Characters other than letters, digits and
// "._-@" become ~xx, their bytes in hexadecimal, so that the result is
// printable and fits a path of the API.
func (n Naming) MachineID(user string) string {
	template := n.Template
	if template == "" {
		template = escape(n.Hostname) + "-" + escape(n.HostHash) + "-" + UserPlaceholder
	}
	prefix, suffix, found := strings.Cut(template, UserPlaceholder)
	prefix, suffix = escape(prefix), escape(strings.ReplaceAll(suffix, UserPlaceholder, ""))
	if !found {
		return fit(prefix, "", "", user)
	}
	return fit(prefix, escape(user), suffix, user)
}

// fit joins the parts and keeps the limit. What is cut carries a hash after
// "~~", which escape never makes.
func fit(prefix, user, suffix, name string) string {
	id := prefix + user + suffix
	if strings.HasPrefix(id, ".") { // "." and ".." would vanish from a path
		id = "~2e" + id[1:]
	}
	if len(id) <= api.MaxMachineIDBytes {
		return id
	}
	sum := sha256.Sum256([]byte(prefix + "\x00" + name + "\x00" + suffix))
	tail := "~~" + hex.EncodeToString(sum[:hashBytes])
	keep := api.MaxMachineIDBytes - len(tail)
	for keep > 0 && !utf8.RuneStart(id[keep]) {
		keep--
	}
	return id[:keep] + tail
}

// escape is injective: "~" itself is escaped too.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size <= 1 || !plain(r) {
			for _, c := range []byte(s[i : i+size]) {
				b.WriteByte('~')
				b.WriteString(hex.EncodeToString([]byte{c}))
			}
		} else {
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

func plain(r rune) bool {
	return strings.ContainsRune("._-@", r) || unicode.IsLetter(r) || unicode.IsDigit(r)
}
