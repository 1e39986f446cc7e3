package people

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// movesEvery is how often it is looked for what rules have moved.
	movesEvery = 10 * time.Second
	// movesAtOnce bounds the accounts that are written down in one transaction, under the
	// audit log's lock.
	movesAtOnce = 500
	// movesLock is the advisory lock under which moves are written down, so that those of an
	// account follow each other, and who waited finds them in the log. Any fixed number
	// would do.
	movesLock = 0x7472_6163_6b6d
	// joinedByRule and partedByRule are what rules do.
	joinedByRule = "person.joined_by_rule"
	partedByRule = "person.parted_by_rule"
)

// RunMoves writes down in the audit log which accounts the rules of equal user names have
// joined to people or sent home, until ctx ends.
func (p *People) RunMoves(ctx context.Context, log *slog.Logger) error {
	for {
		more, err := p.WriteMoves(ctx)
		if err != nil && ctx.Err() == nil {
			log.Warn("what rules of equal user names did is not in the audit log yet; it is tried again", "error", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(movesEvery):
		}
	}
}

// moved are accounts that a rule moved alike: in one transaction, to or from one person.
type moved struct {
	What, Person, Label, HostGroup string
	MachineIDs                     []string
}

// WriteMoves writes some of what rules have moved into the audit log, and reports whether
// there may be more. Of an account that was erased since, nothing is written. The server
// did it, whoever asks for it.
func (p *People) WriteMoves(ctx context.Context) (more bool, err error) {
	ctx = audit.As(ctx, audit.Actor{Kind: audit.Server})
	found, err := p.hasMoves(ctx)
	if err != nil || !found {
		return false, err
	}
	err = p.db.Write(ctx, "writing down what rules moved", func(tx pgx.Tx) error {
		if _, err := db.Exec(ctx, tx, "waiting for others", "SELECT pg_advisory_xact_lock($1)", int64(movesLock)); err != nil {
			return err
		}
		list, taken, err := takeMoves(ctx, tx)
		more = taken == movesAtOnce
		for _, m := range list {
			if err == nil {
				err = audit.Write(ctx, tx, m.change())
			}
		}
		return err
	})
	return more, err
}

// hasMoves reports whether a rule has moved anything: mostly not, and reading costs less.
func (p *People) hasMoves(ctx context.Context) (found bool, err error) {
	err = p.db.Read(ctx, "looking for what rules moved", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM rule_move)").Scan(&found)
	})
	return found, err
}

// takeMoves takes the oldest moves, but for those of accounts that are being erased.
func takeMoves(ctx context.Context, tx pgx.Tx) (list []moved, taken int, err error) {
	rows, err := tx.Query(ctx, `WITH due AS MATERIALIZED (
			DELETE FROM rule_move WHERE id IN (SELECT id FROM rule_move ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING *
		), each AS (
			SELECT d.id, d.at, d.rule, m.machine_id, d.person <> d.home AS joined, CASE WHEN d.person <> d.home THEN d.person ELSE d.before END AS person
			FROM due d JOIN machine m ON m.id = d.machine
		)
		SELECT CASE WHEN e.joined THEN $2 ELSE $3 END, e.person::text, coalesce(p.label, ''), array_agg(e.machine_id ORDER BY e.id), coalesce(g.name, ''),
			(SELECT count(*) FROM due)
		FROM each e LEFT JOIN person p ON p.id = e.person LEFT JOIN host_group g ON g.id = e.rule
		GROUP BY e.at, e.joined, e.person, p.label, g.name ORDER BY min(e.id)`, movesAtOnce, joinedByRule, partedByRule)
	if err != nil {
		return nil, 0, err
	}
	var m moved
	_, err = pgx.ForEachRow(rows, []any{&m.What, &m.Person, &m.Label, &m.MachineIDs, &m.HostGroup, &taken}, func() error {
		list = append(list, m)
		m.MachineIDs = nil
		return nil
	})
	return list, taken, err
}

// change is what the audit log has of them.
func (m *moved) change() audit.Change {
	c := audit.Change{What: m.What, ID: m.Person, Name: m.Label, Details: map[string]string{"machine_ids": audit.Names(m.MachineIDs...)}}
	if m.HostGroup != "" {
		c.Details["host_group"] = m.HostGroup
	}
	return c
}
