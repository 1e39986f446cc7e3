package totp

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The vectors of RFC 6238, appendix B, of which these are the last six digits.
func TestCodes(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := Code(secret, Step(time.Unix(at, 0))); got != want {
			t.Errorf("%d: %s, want %s", at, got, want)
		}
	}
}

// A code is good for its period and those beside it, and never again once a period as
// late was used.
func TestMatch(t *testing.T) {
	secret, now := NewSecret(), time.Unix(1_700_000_010, 0)
	step := Step(now)
	for off, want := range map[int64]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		if got, ok := Match(secret, Code(secret, step+off), now, 0); ok != want || ok && got != step+off {
			t.Errorf("%d periods off: %v %v", off, got, ok)
		}
	}
	for used, want := range map[int64]bool{step - 1: true, step: false, step + 1: false} {
		if _, ok := Match(secret, Code(secret, step), now, used); ok != want {
			t.Errorf("after period %d: %v", used-step, ok)
		}
	}
	code := Code(secret, step)
	for text, want := range map[string]bool{
		code[:3] + " " + code[3:]: true, "": false, code + "0": false, code[1:]: false, strings.Repeat(" ", 100) + code: false, "000000\x00": false,
	} {
		if _, ok := Match(secret, text, now, 0); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
	if _, ok := Match(NewSecret(), code, now, 0); ok {
		t.Log("another secret has the same code, as one in 300,000 does")
	}
}

func TestURI(t *testing.T) {
	u, err := url.Parse(URI([]byte("12345678901234567890"), "Activity Tracker", "anna@example.org/ä&x=y"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Activity Tracker:anna@example.org/ä&x=y" ||
		q.Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || q.Get("issuer") != "Activity Tracker" || len(q) != 2 || strings.Contains(u.String(), "+") {
		t.Errorf("%s", u)
	}
}

func TestRecoveryCodes(t *testing.T) {
	codes := NewRecoveryCodes()
	seen := map[string]bool{}
	for _, c := range codes {
		if !regexp.MustCompile(`^([a-z2-7]{4}-){3}[a-z2-7]{4}$`).MatchString(c) || seen[c] {
			t.Errorf("%q", c)
		}
		seen[c] = true
	}
	if len(codes) != RecoveryCodes {
		t.Errorf("%d codes", len(codes))
	}
	if !bytes.Equal(HashRecovery(codes[0]), HashRecovery(" "+strings.ToUpper(strings.ReplaceAll(codes[0], "-", " ")))) ||
		bytes.Equal(HashRecovery(codes[0]), HashRecovery(codes[1])) {
		t.Error("hashes are wrong")
	}
}
