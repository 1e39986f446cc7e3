package directory

import (
	"context"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

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
