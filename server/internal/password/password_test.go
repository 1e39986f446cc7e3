package password

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// cheap is for tests that are about something else than cost.
func cheap() Params { return Params{Memory: 64, Time: 1, Threads: 1} }

func TestHashAndVerify(t *testing.T) {
	h := NewHasher(cheap())
	hash, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatal(hash, err)
	}
	if again, _ := h.Hash(t.Context(), "correct horse battery"); again == hash {
		t.Error("two hashes have one salt")
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterz": false, "": false} {
		if right, weak, err := h.Verify(t.Context(), password, hash); right != want || weak || err != nil {
			t.Errorf("%q: %v %v %v", password, right, weak, err)
		}
	}
}

// The vector of RFC 9106, section 5.3, has a secret and associated data, which the
// library lacks; this one is of the reference implementation (argon2 -id -t 2 -k 256).
func TestKnownHash(t *testing.T) {
	const hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	right, weak, err := NewHasher(cheap()).Verify(t.Context(), "password", hash)
	if !right || weak || err != nil {
		t.Error(right, weak, err)
	}
}

// A hash of less memory or fewer passes than today's is weak, one of more is not.
func TestWeak(t *testing.T) {
	old, err := NewHasher(cheap()).Hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		today Params
		weak  bool
	}{
		{cheap(), false},
		{Params{Memory: 128, Time: 1, Threads: 1}, true},
		{Params{Memory: 64, Time: 2, Threads: 1}, true},
		{Params{Memory: 32, Time: 1, Threads: 1}, false},
	} {
		if right, weak, err := NewHasher(test.today).Verify(t.Context(), "x", old); !right || weak != test.weak || err != nil {
			t.Errorf("%+v: %v %v %v", test.today, right, weak, err)
		}
	}
}

func TestHashesThatAreNone(t *testing.T) {
	h := NewHasher(cheap())
	good, err := h.Hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"x", "$argon2id$v=19$m=64,t=1,p=1$", good + "$", strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "m=64", "m=0", 1), strings.Replace(good, "m=64", "m=4294967295", 1),
		strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "t=1", "t=100000", 1), strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "p=1", "p=1 ", 1), good[:len(good)-4], good + strings.Repeat("A", 500),
	} {
		if right, _, err := h.Verify(t.Context(), "x", bad); right || err == nil {
			t.Errorf("%q: %v %v", bad, right, err)
		}
	}
}

// Nobody's password costs what somebody's does: one computation of today's cost.
func TestNobodyCostsTheSame(t *testing.T) {
	h := NewHasher(Usual())
	var asked []Params
	h.key = func(_, _ []byte, time, memory uint32, threads uint8, n uint32) []byte {
		asked = append(asked, Params{memory, time, threads})
		return make([]byte, n)
	}
	hash, err := h.Hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{hash, ""} {
		if _, _, err := h.Verify(t.Context(), "y", of); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 3 || asked[0] != Usual() || asked[1] != asked[2] {
		t.Errorf("%+v", asked)
	}
	// And nobody's is never right, whatever is typed.
	if right, _, _ := NewHasher(cheap()).Verify(t.Context(), "", ""); right {
		t.Error("nobody has an empty password")
	}
}

// Of 1,000 at once two are computed at a time, and who waits too long gets ErrBusy.
func TestFewAtOnce(t *testing.T) {
	h := NewHasher(cheap())
	var now, most atomic.Int32
	h.key = func(p, salt []byte, time, memory uint32, threads uint8, n uint32) []byte {
		if running := now.Add(1); running > most.Load() {
			most.Store(running)
		}
		defer now.Add(-1)
		return argon2.IDKey(p, salt, time, memory, threads, n)
	}
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			if _, err := h.Hash(t.Context(), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != atOnce {
		t.Errorf("%d at once", most.Load())
	}
	for range atOnce {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := h.Hash(ctx, "x"); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}

func TestChoice(t *testing.T) {
	for _, test := range []struct {
		login, password string
		good            bool
	}{
		{"anna", "correct horse battery", true},
		{"anna", "twelve chars", true},
		{"anna", "eleven char", false},
		{"anna", "annaannaannaanna", false},
		{"anna", "AnnaANNAanna12345", false},
		{"anna", "anna has 12 chars", true},
		{"anna@example.org", "anna@example.org", false},
		{"anna@example.org", "ANNA@example.org1", false},
		{"al", "alalalalalal", true}, // two letters are in many words
		{"anna", "пароль двенадцать", true},
		{"anna", "парольпаро", false}, // ten characters of 20 bytes
		{"anna", "tab\tin the middle", false},
		{"anna", strings.Repeat("x", MaxBytes), true},
		{"anna", strings.Repeat("x", MaxBytes+1), false},
		{"anna", "not utf-8 \xff\xff\xff\xff", false},
		{"anna", "", false},
	} {
		_, err := Choice(test.login, test.password)
		var why InvalidError
		if (err == nil) != test.good || err != nil && !errors.As(err, &why) {
			t.Errorf("%s, %q: %v", test.login, test.password, err)
		}
	}
	// Composed by one keyboard and not by another, it is one password.
	one, err := Choice("anna", "Übermäßig lang")
	other, otherErr := Choice("anna", "U\u0308berma\u0308ßig lang")
	if err != nil || otherErr != nil || one != other || !utf8.ValidString(one) {
		t.Errorf("%q %q %v %v", one, other, err, otherErr)
	}
}

func TestLogin(t *testing.T) {
	for name, want := range map[string]string{
		"anna": "anna", "Anna.Schmidt@Example.ORG": "anna.schmidt@example.org", "ÄNNA": "änna", "A\u0308nna": "änna", "ａｎｎａ": "anna",
		"Анна": "анна", "": "", "an na": "", "anna\n": "", "anna\x1b[2J": "", "an\u202ena": "", "an\u200bna": "", "\xff": "",
		strings.Repeat("a", MaxLoginBytes): strings.Repeat("a", MaxLoginBytes), strings.Repeat("a", MaxLoginBytes+1): "",
	} {
		got, err := Login(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
}
