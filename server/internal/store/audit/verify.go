package audit

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// Head is how far the chain was at some time.
type Head struct {
	Seq  int64
	Hash []byte
}

// String returns it as the system's log has it: 12:c0ffee….
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, hex.EncodeToString(h.Hash)) }

// ParseHead reads what String returned.
func ParseHead(text string) (h Head, err error) {
	seq, hash, _ := strings.Cut(strings.TrimSpace(text), ":")
	if h.Seq, err = strconv.ParseInt(seq, 10, 64); err == nil {
		h.Hash, err = hex.DecodeString(hash)
	}
	if err != nil || h.Seq < 1 || len(h.Hash) == 0 {
		return h, fmt.Errorf("%q: want a head as the system's log has it, such as 12:c0ffee", text)
	}
	return h, nil
}

// Verdict is what a look at the whole chain has found.
type Verdict struct {
	Entries int64 `json:"entries"`
	// Erased is how many texts were erased.
	Erased int64 `json:"erased"`
	// Head is the newest entry.
	Head string `json:"head"`
	// Wrong is what is wrong first; empty: nothing.
	Wrong string `json:"wrong,omitempty"`
}

// Head returns how far the chain is.
func (l *Log) Head(ctx context.Context) (h Head, err error) {
	err = l.db.Read(ctx, "reading the head of the audit log", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT seq, hash FROM audit_head").Scan(&h.Seq, &h.Hash)
	})
	return h, err
}

const chainSQL = `SELECT l.seq, l.at, l.what, l.actor_kind, l.actor_ref, l.subject_ref, l.texts, l.digests, l.hash,
		ARRAY(SELECT t.salt FROM unnest(l.texts) WITH ORDINALITY u(id, n) LEFT JOIN audit_text t ON t.id = u.id ORDER BY n),
		ARRAY(SELECT t.body FROM unnest(l.texts) WITH ORDINALITY u(id, n) LEFT JOIN audit_text t ON t.id = u.id ORDER BY n)
	FROM audit_log l ORDER BY l.seq`

// Verify looks whether the chain holds: that each entry is as it was written, in its
// place, and that none is missing or was added. known are heads from the system's log,
// which the chain must have gone through: whoever owns the database can make all of it
// anew.
func (l *Log) Verify(ctx context.Context, known ...Head) (v Verdict, err error) {
	err = l.db.Read(ctx, "verifying the audit log", func(tx pgx.Tx) error {
		c := checker{known: map[int64][]byte{}}
		for _, h := range known {
			c.known[h.Seq] = h.Hash
		}
		rows, err := tx.Query(ctx, chainSQL)
		if err != nil {
			return err
		}
		var r row
		var at time.Time
		var salts [][]byte
		var bodies []*string
		_, err = pgx.ForEachRow(rows, []any{&r.seq, &at, &r.what, &r.actorKind, &r.actor, &r.subject, &r.texts, &r.digests, &r.hash, &salts, &bodies}, func() error {
			r.at = at
			c.check(&r, salts, bodies)
			return nil
		})
		if err != nil {
			return err
		}
		var head Head
		heads, err := db.Collect[Head](ctx, tx, "reading the head", "SELECT seq, hash FROM audit_head")
		if err != nil {
			return err
		}
		if len(heads) == 1 {
			head = heads[0]
		}
		v = c.verdict(head)
		return nil
	})
	return v, err
}

// checker goes along the chain.
type checker struct {
	known  map[int64][]byte
	last   Head
	count  int64
	erased int64
	wrong  string
}

func (c *checker) fail(format string, args ...any) {
	if c.wrong == "" {
		c.wrong = fmt.Sprintf(format, args...)
	}
}

// check looks at the next entry.
func (c *checker) check(r *row, salts [][]byte, bodies []*string) {
	c.count++
	if r.seq != c.last.Seq+1 {
		c.fail("between entry %d and entry %d something is missing", c.last.Seq, r.seq)
	}
	if !bytes.Equal(r.hash, r.chained(c.last.Hash)) {
		c.fail("entry %d is not what was written after entry %d", r.seq, c.last.Seq)
	}
	if hash, ok := c.known[r.seq]; ok && !bytes.Equal(hash, r.hash) {
		c.fail("entry %d is not the one that the system's log knows", r.seq)
	}
	delete(c.known, r.seq)
	for i, body := range bodies {
		switch {
		case body == nil && salts[i] == nil:
			c.erased++
		case body == nil || i >= len(r.digests) || !bytes.Equal(digest(salts[i], *body), r.digests[i]):
			c.fail("a text of entry %d is not what was written", r.seq)
		}
	}
	c.last = Head{r.seq, bytes.Clone(r.hash)}
}

// verdict returns what was found, held against the head that the database has.
func (c *checker) verdict(head Head) Verdict {
	if head.Seq != c.last.Seq || !bytes.Equal(head.Hash, c.last.Hash) {
		c.fail("the newest entry should be %d, and it is %d", head.Seq, c.last.Seq)
	}
	for seq := range c.known {
		c.fail("entry %d, which the system's log knows, is missing", seq)
	}
	return Verdict{Entries: c.count, Erased: c.erased, Head: c.last.String(), Wrong: c.wrong}
}
