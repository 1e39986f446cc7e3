// Package audit keeps who changed what in a chain of hashes, written in the change's own
// transaction.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// chainLock is the advisory lock under which the chain grows, so that changes follow
// each other. Any fixed number would do.
const chainLock = 0x7472_6163_6b6c

const (
	idBytes   = 16
	saltBytes = 16
)

// The kinds of actors.
const (
	User    = "user"
	Token   = "token"
	Command = "command"
	// Enrollment is who has an enrolment token.
	Enrollment = "enrollment"
	// Self is whoever has opened one account by a link from its host. Which, is not kept.
	Self = "self"
	// Server is the server by itself.
	Server = "server"
)

// Actor is who changes something.
type Actor struct {
	Kind string
	// ID names the actor for good: a user's, a token's, an enrolment token's, or a
	// command's user id. Name is for people.
	ID, Name string
}

// actorKey is where a context keeps who acts.
type actorKey struct{}

// As returns a context in which changes are that actor's.
func As(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns whose changes in a context are: the server's where nobody is named.
func ActorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return Actor{Kind: Server}
}

// Change is what somebody changed.
type Change struct {
	// What is its kind, such as token.created.
	What string
	// ID names what was changed for good, where there is such a name that names nobody;
	// Name is what it is called.
	ID, Name string
	// Details are what it is now.
	Details map[string]string
}

// Write writes a change down within its transaction, whose last statement it must be:
// whoever changes something else waits from here to the commit.
func Write(ctx context.Context, tx pgx.Tx, c Change) error {
	if _, err := db.Exec(ctx, tx, "waiting for other changes", "SELECT pg_advisory_xact_lock($1)", int64(chainLock)); err != nil {
		return err
	}
	var seq int64
	var before []byte
	if err := tx.QueryRow(ctx, "SELECT seq, hash FROM audit_head").Scan(&seq, &before); err != nil {
		return fmt.Errorf("reading the head of the audit log: %w", err)
	}
	details := ""
	if len(c.Details) > 0 {
		raw, err := json.Marshal(c.Details)
		if err != nil {
			return fmt.Errorf("writing details: %w", err)
		}
		details = string(raw)
	}
	actor := ActorOf(ctx)
	r := row{
		seq: seq + 1, at: time.Now().UTC().Truncate(time.Microsecond), what: c.What, actorKind: actor.Kind, actor: actor.ID, subject: c.ID,
	}
	batch := &pgx.Batch{}
	for _, text := range [textCount]string{actor.Name, c.Name, details} {
		id, salt := random(idBytes), random(saltBytes)
		r.texts, r.digests = append(r.texts, id), append(r.digests, digest(salt, text))
		batch.Queue("INSERT INTO audit_text (id, salt, body) VALUES ($1, $2, $3)", id, salt, text)
	}
	r.hash = r.chained(before)
	batch.Queue(`INSERT INTO audit_log (seq, at, what, actor_kind, actor_ref, subject_ref, texts, digests, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, r.seq, r.at, r.what, r.actorKind, r.actor, r.subject, r.texts, r.digests, r.hash)
	batch.Queue("UPDATE audit_head SET seq = $1, hash = $2", r.seq, r.hash)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("writing the change down: %w", err)
	}
	return nil
}

// Erase erases a name wherever it is that of an actor or of what was changed, or within
// details; it returns how many texts that were. The chain still holds.
func Erase(ctx context.Context, tx pgx.Tx, name string) (int64, error) {
	quoted, err := json.Marshal(name)
	if err != nil {
		return 0, fmt.Errorf("writing the name: %w", err)
	}
	return db.Exec(ctx, tx, "erasing a name", `UPDATE audit_text SET salt = NULL, body = NULL
		WHERE body = $1 OR body LIKE '{%' AND position($2 IN body) > 0`, name, string(quoted))
}

// About is whom changes were about.
type About struct {
	// People are their ids, MachineIDs their accounts.
	People, MachineIDs []string
}

// EraseAbout erases the names in changes that were about somebody: what they were called,
// and details with an account of theirs or their id. It returns how many texts that were.
// The chain still holds.
func EraseAbout(ctx context.Context, tx pgx.Tx, a About) (int64, error) {
	return db.Exec(ctx, tx, "erasing names in the audit log", `WITH told AS (
			SELECT l.texts, l.what LIKE 'person.%' AND l.subject_ref = ANY($1) OR s.body = ANY($2) AS subject,
				CASE WHEN d.body LIKE '{%' THEN d.body::json END AS details
			FROM audit_log l LEFT JOIN audit_text s ON s.id = l.texts[2] LEFT JOIN audit_text d ON d.id = l.texts[3]
		), about AS (
			SELECT texts, subject, details ->> 'person' = ANY($1) OR EXISTS (
				SELECT FROM json_each_text(details) AS one, unnest(string_to_array(one.value, ', ')) AS id WHERE id = ANY($2)) OR EXISTS (
				SELECT FROM json_each_text(details) AS one, unnest($3::text[]) AS id WHERE position(', ' || id || ', ' IN ', ' || one.value || ', ') > 0) AS details
			FROM told
		), due AS (
			SELECT texts[2] AS id FROM about WHERE subject UNION SELECT texts[3] FROM about WHERE subject OR details)
		UPDATE audit_text t SET salt = NULL, body = NULL FROM due WHERE t.id = due.id AND t.body <> ''`, a.People, a.MachineIDs, a.ambiguous())
}

// Log is the audit log of one database.
type Log struct{ db *db.DB }

// New returns the audit log of a database.
func New(d *db.DB) *Log { return &Log{d} }

// Entry is a change that was written down. A text that was erased is nil.
type Entry struct {
	Seq       int64
	At        time.Time
	What      string
	ActorKind string
	ActorID   string
	ActorName *string
	SubjectID string
	Subject   *string
	// Details is a JSON object, or empty.
	Details *string
}

// List lists changes, the newest first, before that one, at most so many.
func (l *Log) List(ctx context.Context, before int64, limit int) ([]Entry, error) {
	var list []Entry
	err := l.db.Read(ctx, "reading who changed what", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[Entry](ctx, tx, "reading", `SELECT l.seq, l.at, l.what, l.actor_kind, l.actor_ref, a.body, l.subject_ref, s.body, d.body
			FROM (SELECT * FROM audit_log WHERE seq < $1 ORDER BY seq DESC LIMIT $2) l
			LEFT JOIN audit_text a ON a.id = l.texts[1] LEFT JOIN audit_text s ON s.id = l.texts[2] LEFT JOIN audit_text d ON d.id = l.texts[3]
			ORDER BY l.seq DESC`, before, limit)
		return err
	})
	return list, err
}
