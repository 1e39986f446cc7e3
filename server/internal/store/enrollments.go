package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Enrollments lists all enrolment tokens, oldest first.
func (s *Store) Enrollments(ctx context.Context) ([]Enrollment, error) {
	var list []Enrollment
	err := s.read(ctx, "listing the enrolment tokens", func(tx pgx.Tx) (err error) {
		list, err = collect[Enrollment](ctx, tx, "reading",
			"SELECT id, kind, uses_left, for_host, created_at, expires_at FROM enrollment ORDER BY created_at, id")
		return err
	})
	return list, err
}

// RemoveEnrollment revokes an enrolment token at once, or returns ErrNotFound.
func (s *Store) RemoveEnrollment(ctx context.Context, id string) error {
	return s.write(ctx, "revoking the enrolment token", func(tx pgx.Tx) error {
		n, err := exec(ctx, tx, "deleting", "DELETE FROM enrollment WHERE id = $1", id)
		if err == nil && n == 0 {
			return ErrNotFound
		}
		return err
	})
}
