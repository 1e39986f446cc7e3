package password

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

const (
	// MinChars is how many characters a password has at least.
	MinChars = 12
	// MaxBytes is more than anybody's sentence.
	MaxBytes = 1024
	// MaxLoginBytes is the longest e-mail address.
	MaxLoginBytes = 254
	// minNamePart is how long a part of a name is that must not fill a password.
	minNamePart = 3
)

// InvalidError is why a name or password can't be taken, and what to do.
type InvalidError string

// Error returns why.
func (e InvalidError) Error() string { return string(e) }

// Login returns a login name as it is kept and compared (RFC 8265,
// UsernameCaseMapped): composed, in lower case and without characters that others
// are confused with by width.
func Login(name string) (string, error) {
	login, err := precis.UsernameCaseMapped.String(name)
	if err != nil || login == "" || len(name) > MaxLoginBytes || len(login) > MaxLoginBytes {
		return "", InvalidError(fmt.Sprintf("A login name is a name or e-mail address of at most %d bytes, without spaces.", MaxLoginBytes))
	}
	return login, nil
}

// Typed returns a password as it is hashed (RFC 8265, OpaqueString): keyboards and
// systems compose the same characters differently. What it does not allow is no
// password.
func Typed(password string) (string, error) {
	typed, err := precis.OpaqueString.String(password)
	if err != nil || !utf8.ValidString(password) || len(password) > MaxBytes {
		return "", InvalidError(fmt.Sprintf("A password has at most %d bytes and no control characters.", MaxBytes))
	}
	return typed, nil
}

// Choice returns a chosen password as it is hashed, or why it can't be chosen. There
// are no rules of what it is made of: length counts, and the login name does not
// count to it.
func Choice(login, password string) (string, error) {
	typed, err := Typed(password)
	if err != nil {
		return "", err
	}
	left := strings.ToLower(typed)
	local, _, _ := strings.Cut(login, "@")
	for _, part := range []string{login, local} {
		if utf8.RuneCountInString(part) >= minNamePart {
			left = strings.ReplaceAll(left, part, "")
		}
	}
	if utf8.RuneCountInString(left) < MinChars {
		return "", InvalidError(fmt.Sprintf("A password has at least %d characters, not counting the login name in it.", MinChars))
	}
	return typed, nil
}
