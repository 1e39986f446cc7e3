package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// textCount is how many texts an entry has: the actor's name, the subject's, the details.
const textCount = 3

// row is an entry as the chain has it.
type row struct {
	seq                             int64
	at                              time.Time
	what, actorKind, actor, subject string
	texts, digests                  [][]byte
	hash                            []byte
}

// chained returns the hash of a row that follows one with that hash. Each part has its
// length before it, so that nothing moves from one to the next.
func (r *row) chained(before []byte) []byte {
	h := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		_, _ = h.Write(n[:]) // it never fails
		_, _ = h.Write(b)
	}
	number := func(v int64) { part(binary.BigEndian.AppendUint64(nil, uint64(v))) }
	part([]byte("audit 1"))
	part(before)
	number(r.seq)
	number(r.at.UnixMicro())
	for _, text := range []string{r.what, r.actorKind, r.actor, r.subject} {
		part([]byte(text))
	}
	number(int64(len(r.texts)))
	for i := range r.texts {
		part(r.texts[i])
		part(r.digests[i])
	}
	return h.Sum(nil)
}

// digest returns that of a text. Without the salt nobody can try what an erased one was.
func digest(salt []byte, text string) []byte {
	sum := sha256.Sum256(append(append([]byte{}, salt...), text...))
	return sum[:]
}

// random returns so many random bytes.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}
