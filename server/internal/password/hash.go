// Package password hashes passwords with argon2id, few at a time, and checks what
// people choose.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// Params are what a hash costs.
type Params struct {
	// Memory is in KiB, Time in passes over it.
	Memory, Time uint32
	Threads      uint8
}

// Usual is OWASP's first choice for argon2id: some 60 ms of one core. The second of RFC
// 9106 takes 310 ms, and people who come to work at one time would wait for minutes.
func Usual() Params { return Params{Memory: 46 << 10, Time: 1, Threads: 1} }

const (
	// atOnce is how many hashes are computed at once: 92 MiB.
	atOnce = 2
	// collectEvery is after how many hashes their memory is given back: Go would let
	// the heap grow to several times what is alive first, half a gigabyte here.
	collectEvery = 4
	// saltBytes and keyBytes are those that RFC 9106 recommends.
	saltBytes = 16
	keyBytes  = 32
	// maxMemory and maxTime bound what a hash that is read may ask for: 1 GiB, and
	// some seconds.
	maxMemory = 1 << 20
	maxTime   = 64
)

// ErrBusy means that no turn to compute a hash came in time.
var ErrBusy = errors.New("too many passwords are being checked")

// Hasher computes hashes, at most two at once. It is shared by all that need any.
type Hasher struct {
	params Params
	slots  chan struct{}
	// computed counts hashes.
	computed atomic.Uint64
	// nobody is the hash of no password.
	nobody string
	// key computes; a test counts how many do at once.
	key func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte
}

// NewHasher returns a hasher that makes hashes at that cost.
func NewHasher(p Params) *Hasher {
	h := &Hasher{params: p, slots: make(chan struct{}, atOnce), key: argon2.IDKey}
	h.nobody = p.phc(random(saltBytes), random(keyBytes))
	return h
}

// Hash returns a password's hash as a PHC string, or ErrBusy where ctx ends before
// its turn.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := random(saltBytes)
	key, err := h.compute(ctx, password, salt, h.params)
	if err != nil {
		return "", err
	}
	return h.params.phc(salt, key), nil
}

// Verify reports whether a password is that of a hash, and whether the hash is
// weaker than those made today. An empty hash is nobody's: it takes as long to find
// that out. Errors are ErrBusy, or a hash that is none.
func (h *Hasher) Verify(ctx context.Context, password, hash string) (right, weak bool, err error) {
	if hash == "" {
		hash = h.nobody
	}
	p, salt, want, err := parse(hash)
	if err != nil {
		return false, false, err
	}
	got, err := h.compute(ctx, password, salt, p)
	if err != nil {
		return false, false, err
	}
	weak = p.Memory < h.params.Memory || p.Time < h.params.Time
	return subtle.ConstantTimeCompare(got, want) == 1, weak, nil
}

func (h *Hasher) compute(ctx context.Context, password string, salt []byte, p Params) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
	defer func() { <-h.slots }()
	key := h.key([]byte(password), salt, p.Time, p.Memory, p.Threads, keyBytes)
	if h.computed.Add(1)%collectEvery == 0 {
		runtime.GC()
	}
	return key, nil
}

const phcFormat = "$argon2id$v=%d$m=%d,t=%d,p=%d$"

// phc writes a hash as the PHC string format has it.
func (p Params) phc(salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf(phcFormat, argon2.Version, p.Memory, p.Time, p.Threads) + b64(salt) + "$" + b64(key)
}

// parse reads what phc wrote.
func parse(hash string) (p Params, salt, key []byte, err error) {
	bad := errors.New("a password's hash is none of argon2id")
	var version int
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || len(hash) > 512 {
		return p, nil, nil, bad
	}
	head := strings.Join(parts[:4], "$") + "$"
	if _, err := fmt.Sscanf(head, phcFormat, &version, &p.Memory, &p.Time, &p.Threads); err != nil ||
		head != fmt.Sprintf(phcFormat, version, p.Memory, p.Time, p.Threads) {
		return p, nil, nil, bad
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	switch {
	case saltErr != nil, keyErr != nil, len(salt) < saltBytes/2, len(key) != keyBytes, version != argon2.Version,
		p.Memory == 0, p.Memory > maxMemory, p.Time == 0, p.Time > maxTime, p.Threads == 0:
		return p, nil, nil, bad
	}
	return p, salt, key, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	// crypto/rand.Read never fails: it ends the program where the system has no
	// randomness.
	_, _ = rand.Read(b)
	return b
}
