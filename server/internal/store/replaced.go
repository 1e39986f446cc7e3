package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// errReplaced fails one connection: what was about to be written relies on rows
// of another database.
var errReplaced = errors.New("the database was replaced, by a restore; asking again works")

// noticeReplaced looks at each new connection whether the tables are still the
// same ones. Where a backup was restored while this server had no connection,
// everything that it remembers is of tables that are gone.
func (s *Store) noticeReplaced(ctx context.Context, conn *pgx.Conn) error {
	var id uint32
	if err := conn.QueryRow(ctx, "SELECT coalesce(to_regclass('machine')::oid, 0)").Scan(&id); err != nil {
		return fmt.Errorf("looking whether the database is the same: %w", err)
	}
	if id == 0 {
		return nil
	}
	before := s.identity.Swap(id)
	if before == 0 || before == id {
		return nil
	}
	s.log.Warn("the database was replaced; forgetting what was remembered of it")
	s.hosts.forget()
	s.forget()
	return errReplaced
}
