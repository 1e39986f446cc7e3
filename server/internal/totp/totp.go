// Package totp makes and checks the codes of a second step: those that change every 30
// seconds (RFC 6238), and those that are kept for when the device is lost. It is so
// little that a library would bring more (pictures of codes) than it saves.
package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // What RFC 6238 has, and every program for it; HMAC does not suffer of its collisions.
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const (
	// period is for how long a code is shown, and digits how many it has: all
	// programs know these.
	period = 30 * time.Second
	digits = 6
	// skew is how many periods a clock may be off, either way.
	skew = 1
	// secretBytes is what RFC 4226 recommends.
	secretBytes = 20
	// RecoveryCodes is how many a user has.
	RecoveryCodes = 10
	// recoveryBytes of randomness are more than anybody guesses, and short enough to
	// type: 16 characters.
	recoveryBytes = 10
	// maxCode bounds a code as typed, with spaces and dashes.
	maxCode = 64
)

func encoding() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// NewSecret returns what a device shares with the server.
func NewSecret() []byte { return random(secretBytes) }

// Text returns a secret as devices take it.
func Text(secret []byte) string { return encoding().EncodeToString(secret) }

// URI returns a secret as a QR code holds it.
func URI(secret []byte, issuer, account string) string {
	q := url.Values{"secret": {Text(secret)}, "issuer": {issuer}}
	// Programs read + as itself.
	query := strings.ReplaceAll(q.Encode(), "+", "%20")
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + query
}

// Step returns the number of a moment's period.
func Step(t time.Time) int64 { return t.Unix() / int64(period/time.Second) }

// Code returns the code of a period.
func Code(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash takes all
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", digits, n%1_000_000)
}

// Match returns the period, later than used, whose code that is, around now.
func Match(secret []byte, code string, now time.Time, used int64) (step int64, ok bool) {
	typed := typed(code)
	for s := Step(now) - skew; s <= Step(now)+skew; s++ {
		if subtle.ConstantTimeCompare([]byte(typed), []byte(Code(secret, s))) == 1 && s > used {
			step, ok = s, true
		}
	}
	return step, ok
}

// NewRecoveryCodes returns codes that stand in for a device, once each.
func NewRecoveryCodes() []string {
	codes := make([]string, RecoveryCodes)
	for i := range codes {
		t := strings.ToLower(encoding().EncodeToString(random(recoveryBytes)))
		codes[i] = t[:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:]
	}
	return codes
}

// HashRecovery is what is stored of such a code; however it is typed, it is one. A fast
// hash is enough: they are random.
func HashRecovery(code string) []byte {
	sum := sha256.Sum256([]byte(typed(code)))
	return sum[:]
}

// typed is a code without what people put between its characters.
func typed(code string) string {
	if len(code) > maxCode {
		return ""
	}
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(code))
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}
