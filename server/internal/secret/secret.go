// Package secret makes and checks the server's credentials: API tokens, host
// credentials, enrolment tokens, invitations, logins and links, all of the form
// "id.secret".
//
// The id is public and finds the row; the secret is 256 random bits, of which
// only the SHA-256 is stored. A slow, salted hash as for passwords would add
// nothing: nobody can guess 256 random bits, however fast the hash, and no two
// secrets are equal. A fast one keeps every request cheap.
package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Kind is what a credential is for; it starts the id, so that a person or a
// leak scanner recognises one.
type Kind string

// The kinds of credential.
const (
	KindToken      Kind = "tok"
	KindHost       Kind = "host"
	KindEnrollment Kind = "enr"
	// KindInvitation is a link by which somebody sets a password, KindLogin what a
	// browser keeps of a login.
	KindInvitation Kind = "inv"
	KindLogin      Kind = "ses"
	// KindSelf is a link by which somebody opens their own account.
	KindSelf Kind = "self"
	// KindAttempt is what a browser keeps while it logs in at a provider.
	KindAttempt Kind = "sso"
)

const (
	// idBytes of randomness make ids unique; they need not be unguessable.
	idBytes = 8
	// secretBytes of randomness make a secret unguessable.
	secretBytes = 32
	// MaxBytes bounds a credential as text; anything longer is not one.
	MaxBytes = 96
)

// HashBytes is the length of a stored hash.
const HashBytes = sha256.Size

// Credential is a parsed or fresh "id.secret".
type Credential struct {
	Kind   Kind
	ID     string
	secret string
}

// New makes a credential of that kind.
func New(kind Kind) Credential {
	id := make([]byte, idBytes)
	sec := make([]byte, secretBytes)
	// crypto/rand.Read never fails: it ends the program where the system has
	// no randomness.
	_, _ = rand.Read(id)
	_, _ = rand.Read(sec)
	return Credential{
		Kind:   kind,
		ID:     string(kind) + "_" + hex.EncodeToString(id),
		secret: base64.RawURLEncoding.EncodeToString(sec),
	}
}

// Reveal returns the text "id.secret". It is for the one place that shows it.
func (c Credential) Reveal() string { return c.ID + "." + c.secret }

// String returns only the id, so that a credential that is logged reveals nothing.
func (c Credential) String() string { return c.ID }

// Hash is what is stored of the secret.
func (c Credential) Hash() []byte {
	sum := sha256.Sum256([]byte(c.secret))
	return sum[:]
}

// Matches compares with a stored hash in constant time.
func (c Credential) Matches(hash []byte) bool {
	return subtle.ConstantTimeCompare(c.Hash(), hash) == 1
}

// Derive returns another secret, of HashBytes, made of this one for one purpose. Nobody
// who has it, or the stored hash, learns this one or that of another purpose.
func (c Credential) Derive(purpose string) []byte {
	mac := hmac.New(sha256.New, []byte(c.secret))
	_, _ = mac.Write([]byte(purpose)) // it never fails
	return mac.Sum(nil)
}

// Parse reads "id.secret". It rejects whatever New would not have made, so that
// no other text ever reaches the database. The error names no part of it.
func Parse(text string) (Credential, error) {
	bad := fmt.Errorf("a credential has the form id.secret")
	if len(text) > MaxBytes {
		return Credential{}, bad
	}
	id, sec, ok := strings.Cut(text, ".")
	if !ok {
		return Credential{}, bad
	}
	kind, digits, ok := strings.Cut(id, "_")
	if !ok || !known(Kind(kind)) || len(digits) != 2*idBytes || !lowerHex(digits) {
		return Credential{}, bad
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(sec); err != nil || len(raw) != secretBytes {
		return Credential{}, bad
	}
	return Credential{Kind: Kind(kind), ID: id, secret: sec}, nil
}

func known(k Kind) bool {
	switch k {
	case KindToken, KindHost, KindEnrollment, KindInvitation, KindLogin, KindSelf, KindAttempt:
		return true
	}
	return false
}

func lowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
