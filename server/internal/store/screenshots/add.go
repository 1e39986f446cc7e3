package screenshots

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/db"
)

// NewScreenshot is a picture that a host sends of an account of its.
type NewScreenshot struct {
	Host      int64
	MachineID string
	// TakenAt is in whole seconds.
	TakenAt       time.Time
	Kind          policy.Kind
	Width, Height int
	Picture       []byte
}

// Add keeps a picture, and returns its id; where one of that account and time is there
// already it stays, and added is false. What was added is durable.
func (s *Screenshots) Add(ctx context.Context, n *NewScreenshot) (id ID, added bool, err error) {
	if keep := s.KeepFor(); keep > 0 && s.now().Sub(n.TakenAt) > keep {
		return id, false, ErrTooOld
	}
	known, err := s.before(ctx, n)
	if err != nil || known != nil {
		return value(known), false, err
	}
	if err := s.take(ctx, len(n.Picture)); err != nil {
		return id, false, err
	}
	if _, err := rand.Read(id[:]); err != nil {
		return id, false, err
	}
	digest := digestOf(id, n.Picture)
	if err := s.folder.write(ctx, digest, n.Picture); err != nil {
		return id, false, err
	}
	kept, err := s.insert(ctx, n, id, digest)
	var decided db.Decision
	// After other errors the row may be there: then the file must be, and else it is
	// deleted as one without a row.
	if err == nil && kept != id || errors.As(err, &decided) {
		err = errors.Join(err, s.folder.remove(context.WithoutCancel(ctx), digest))
	}
	return kept, kept == id, err
}

func value(id *ID) ID {
	if id == nil {
		return ID{}
	}
	return *id
}

// take takes room for a picture, or returns ErrFull.
func (s *Screenshots) take(ctx context.Context, bytes int) error {
	if s.maxBytes == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.usedAt.IsZero() || now.Sub(s.usedAt) > usageFor {
		used, err := s.Usage(ctx)
		if err != nil {
			return err
		}
		s.used, s.usedAt = used, now
	}
	if s.used+int64(bytes) > s.maxBytes {
		return ErrFull
	}
	s.used += int64(bytes)
	return nil
}

// Usage returns how many bytes all pictures take.
func (s *Screenshots) Usage(ctx context.Context) (used int64, err error) {
	err = s.db.Read(ctx, "adding up pictures", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT coalesce(sum(bytes), 0) FROM screenshot WHERE digest IS NOT NULL").Scan(&used)
	})
	return used, err
}

// before returns the picture of that account and time that is there, or why none is taken,
// before anything is written.
func (s *Screenshots) before(ctx context.Context, n *NewScreenshot) (known *ID, err error) {
	err = s.db.Read(ctx, "looking whether a picture is there", func(tx pgx.Tx) error {
		machine, err := owned(ctx, tx, n, "")
		if err == nil {
			known, err = at(ctx, tx, machine, n.TakenAt)
		}
		return err
	})
	return known, err
}

// owned returns the row of the account, or why it is not the host's.
func owned(ctx context.Context, tx pgx.Tx, n *NewScreenshot, lock string) (machine int32, err error) {
	var host int64
	var erasedBefore *time.Time
	err = tx.QueryRow(ctx, "SELECT id, host, erased_before FROM machine WHERE machine_id = $1 "+lock, n.MachineID).Scan(&machine, &host, &erasedBefore)
	none := errors.Is(err, pgx.ErrNoRows)
	if none {
		err = tx.QueryRow(ctx, "SELECT max(erased_at) FROM tombstone WHERE digest = tombstone_of($1)", n.MachineID).Scan(&erasedBefore)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("looking up the machine: %w", err)
	case erasedBefore != nil && n.TakenAt.Before(*erasedBefore):
		return 0, ErrErased
	case none:
		return 0, ErrUnknown
	case host != n.Host:
		return 0, ErrForeign
	}
	return machine, nil
}

// at returns the picture of an account and time; nil: there is none.
func at(ctx context.Context, tx pgx.Tx, machine int32, taken time.Time) (*ID, error) {
	list, err := db.Collect[struct{ ID ID }](ctx, tx, "looking up the picture", "SELECT id FROM screenshot WHERE machine = $1 AND taken_at = $2", machine, taken)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0].ID, nil
}

// insert writes a picture's row, unless there is one of that account and time, and returns
// the id of the one that is there then.
func (s *Screenshots) insert(ctx context.Context, n *NewScreenshot, id ID, digest []byte) (kept ID, err error) {
	err = s.db.Write(ctx, "keeping a picture", func(tx pgx.Tx) error {
		// The account stays the host's until the commit, and none is erased meanwhile.
		machine, err := owned(ctx, tx, n, "FOR NO KEY UPDATE")
		if err != nil {
			return err
		}
		known, err := at(ctx, tx, machine, n.TakenAt)
		if err != nil || known != nil {
			kept = value(known)
			return err
		}
		day := n.TakenAt.UTC().Truncate(24 * time.Hour)
		var ofDay int
		err = tx.QueryRow(ctx, "SELECT count(*) FROM screenshot WHERE machine = $1 AND taken_at >= $2 AND taken_at < $3", machine, day, day.AddDate(0, 0, 1)).Scan(&ofDay)
		if err != nil {
			return fmt.Errorf("counting: %w", err)
		}
		if ofDay >= maxOfDay {
			return ErrTooMany
		}
		kept = id
		_, err = db.Exec(ctx, tx, "inserting", `INSERT INTO screenshot (id, machine, taken_at, received_at, kind, width, height, bytes, digest)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, id, machine, n.TakenAt, s.now().UTC(), n.Kind, n.Width, n.Height, len(n.Picture), digest)
		return err
	})
	return kept, err
}
