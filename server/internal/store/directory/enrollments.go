package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// EnrollmentUses is one host a token: a leaked one is then worth little.
	EnrollmentUses = 1
	// EnrollmentExpiry is a working day, and the night.
	EnrollmentExpiry = 24 * time.Hour
	// minEnrollmentExpiry leaves time to type it in; the longest is a year.
	minEnrollmentExpiry = time.Minute
	maxEnrollmentExpiry = 365 * 24 * time.Hour
)

// Check returns what is wrong with a token that is to be made and good for so long, as
// an InvalidError. Whether ForHost can be a host_id is for the caller.
func (e *Enrollment) Check(expires time.Duration) error {
	switch {
	case e.UsesLeft < 1 || e.UsesLeft > api.MaxEnrollmentUses:
		return InvalidError{"uses", fmt.Sprintf("want 1 to %d", api.MaxEnrollmentUses)}
	case expires < minEnrollmentExpiry || expires > maxEnrollmentExpiry:
		return InvalidError{"expires", "want 1m to 365d"}
	}
	return nil
}

// State returns whether it enrols.
func (e *Enrollment) State(now time.Time) api.EnrollmentState {
	switch {
	case !e.ExpiresAt.After(now):
		return api.EnrollmentExpired
	case e.UsesLeft == 0:
		return api.EnrollmentUsedUp
	}
	return api.EnrollmentGood
}

// Enrollments lists all enrolment tokens, oldest first.
func (d *Directory) Enrollments(ctx context.Context) ([]Enrollment, error) {
	var list []Enrollment
	err := d.db.Read(ctx, "listing the enrolment tokens", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[Enrollment](ctx, tx, "reading",
			"SELECT id, kind, uses_left, for_host, created_at, expires_at FROM enrollment ORDER BY created_at, id")
		return err
	})
	return list, err
}

// RemoveEnrollment revokes an enrolment token at once, or returns ErrNotFound.
func (d *Directory) RemoveEnrollment(ctx context.Context, id string) error {
	return d.db.Write(ctx, "revoking the enrolment token", func(tx pgx.Tx) error {
		n, err := db.Exec(ctx, tx, "deleting", "DELETE FROM enrollment WHERE id = $1", id)
		if err == nil && n == 0 {
			return db.ErrNotFound
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "enrollment.revoked", ID: id})
	})
}
