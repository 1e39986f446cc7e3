package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

const (
	// grain is that of the times of looks: within one minute a repeat changes nothing,
	// and is not written.
	grain = time.Minute
	// spanGrain is that of the time looked at: a dashboard that asks for the last hour
	// every ten seconds makes a row an hour.
	spanGrain = time.Hour
	// repeatWithin is how long after the last look another is its repeat.
	repeatWithin = 15 * time.Minute
	// lastsAtMost ends a row that is repeated all the time, so that it can be
	// dropped when it is old.
	lastsAtMost = 24 * time.Hour
	// rowsAtOnce is how many rows of one reader, machine and kind may be under way;
	// then the newest is widened: whoever goes through a year by hours fills no disk.
	rowsAtOnce = 64
)

// The kinds of readers.
const (
	User    = "user"
	Token   = "token"
	Self    = "self"
	Command = "command"
)

// Reader is who looked.
type Reader struct {
	// Kind is User, Token, Self or Command.
	Kind string
	// ID names the reader for good, Name for people.
	ID, Name string
}

// Look is an answer about machines that somebody is going to get.
type Look struct {
	Reader Reader
	// What is the kind of answer.
	What string
	// From and To are the span of time that it is about; zero: of none in particular.
	From, To time.Time
	Machines Set
	// Many means that it is a part of an answer about several machines.
	Many bool
}

// key is what looks must share to be one row.
type key struct {
	reader   Reader
	what     string
	from, to int64
	// machine is 0 for a set.
	machine int32
}

func (l Look) key() key {
	k := key{reader: l.Reader, what: l.What, from: l.From.Unix(), to: l.To.Unix()}
	if !l.Many {
		k.machine = l.Machines.only()
	}
	return k
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.machine, o.machine), cmp.Compare(k.reader.Kind, o.reader.Kind), cmp.Compare(k.reader.ID, o.reader.ID),
		cmp.Compare(k.reader.Name, o.reader.Name), cmp.Compare(k.what, o.what), cmp.Compare(k.from, o.from), cmp.Compare(k.to, o.to))
}

// rounded returns a look whose span is in whole hours that hold it.
func (l Look) rounded() Look {
	if l.From.IsZero() {
		return l
	}
	l.From = l.From.UTC().Truncate(spanGrain)
	if to := l.To.UTC().Truncate(spanGrain); to.Equal(l.To) && to.After(l.From) {
		l.To = to
	} else {
		l.To = to.Add(spanGrain)
	}
	return l
}

// lookSQL writes a look: into the row of its repeat, else into that of a crowd, else
// into a new one. A row for several machines takes more of them only while it is young,
// so that it shows when each was looked at.
const lookSQL = `WITH found AS (
		SELECT id FROM access_reader WHERE kind = $1 AND ref = $2 AND name = $3
	), added AS (
		INSERT INTO access_reader (kind, ref, name) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM found)
		ON CONFLICT DO NOTHING RETURNING id
	), reader AS (
		SELECT id FROM found UNION ALL SELECT id FROM added
	), newest AS (
		SELECT id, span_from, span_to, first_at, last_at FROM access_log
		WHERE reader = (SELECT id FROM found) AND what = $4 AND machine = $5 ORDER BY id DESC LIMIT 2 * $11::int
	), near AS (
		SELECT * FROM newest WHERE last_at >= $8::timestamptz - $9::interval AND first_at > $8::timestamptz - $10::interval
	), fits AS (
		SELECT id FROM near
		WHERE ($6::timestamptz IS NULL AND span_from IS NULL OR span_from <= $6 AND span_to >= $7)
		AND (first_at >= $8::timestamptz - $9::interval OR NOT EXISTS (
			SELECT FROM unnest($12::int[], $13::bit(1024)[]) AS c(part, machines) WHERE NOT EXISTS (
				SELECT FROM access_set s WHERE s.part = c.part AND s.access = near.id AND s.machines & c.machines = c.machines)))
		ORDER BY id DESC LIMIT 1
	), open AS (
		SELECT id FROM fits UNION ALL
		(SELECT max(id) FROM near WHERE NOT EXISTS (SELECT FROM fits) HAVING count(*) >= $11)
	), moved AS (
		UPDATE access_log a SET last_at = greatest(last_at, $8), span_from = least(span_from, $6), span_to = greatest(span_to, $7)
		FROM open WHERE a.id = open.id RETURNING a.id
	), made AS (
		INSERT INTO access_log (machine, reader, what, span_from, span_to, first_at, last_at)
		SELECT $5, id, $4, $6, $7, $8, $8 FROM reader WHERE NOT EXISTS (SELECT FROM open) RETURNING id
	), written AS (
		SELECT id FROM moved UNION ALL SELECT id FROM made
	), kept AS (
		INSERT INTO access_set (access, part, machines)
		SELECT w.id, c.part, c.machines FROM written w, unnest($12::int[], $13::bit(1024)[]) AS c(part, machines)
		WHERE NOT EXISTS (SELECT FROM access_set s WHERE s.part = c.part AND s.access = w.id AND s.machines & c.machines = c.machines)
		ON CONFLICT (part, access) DO UPDATE SET machines = access_set.machines | EXCLUDED.machines
	)
	SELECT count(*) FROM written`

// errMeanwhile means that another server made the reader's row, or dropped the look's,
// between two parts of a statement.
var errMeanwhile = errors.New("a row was made or dropped meanwhile")

// commit writes looks in one transaction, those with one key as one. Their order keeps
// servers from waiting for each other's rows crosswise.
func (l *Log) commit(ctx context.Context, looks []Look) error {
	joined := map[key]Look{}
	for _, look := range looks {
		k := look.key()
		if before, ok := joined[k]; ok {
			look.Machines = look.Machines.With(before.Machines)
		}
		joined[k] = look
	}
	order := make([]key, 0, len(joined))
	for k := range joined {
		order = append(order, k)
	}
	slices.SortFunc(order, key.compare)
	now := l.now().Truncate(grain)
	for again := false; ; again = true {
		batch := &pgx.Batch{}
		l.db.QueueTransaction(batch)
		for _, k := range order {
			queue(batch, k, joined[k], now)
		}
		batch.Queue("COMMIT")
		err := l.db.SendBatch(ctx, "writing who looked", batch)
		if again || !errors.Is(err, errMeanwhile) {
			return err
		}
	}
}

// queue queues a look.
func queue(batch *pgx.Batch, k key, look Look, now time.Time) {
	var from, to *time.Time
	if !look.From.IsZero() {
		from, to = &look.From, &look.To
	}
	set := look.Machines
	if k.machine != 0 {
		set = nil
	}
	parts, machines := set.columns()
	batch.Queue(lookSQL, k.reader.Kind, k.reader.ID, k.reader.Name, k.what, k.machine, from, to, now,
		repeatWithin, lastsAtMost, rowsAtOnce, parts, machines).QueryRow(func(row pgx.Row) error {
		var written int
		if err := row.Scan(&written); err != nil {
			return fmt.Errorf("writing a look: %w", err)
		}
		if written == 0 {
			return errMeanwhile
		}
		return nil
	})
}

// errTooMany means that more looks wait to be written than may.
var errTooMany = fmt.Errorf("%w: too many answers wait until it is written who looked", db.ErrUnavailable)
