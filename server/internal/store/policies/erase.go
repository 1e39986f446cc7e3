package policies

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// namesSQL are the names that a version leaves out.
const namesSQL = `json_array_elements_text(CASE json_typeof(p.document -> 'exclude_users') WHEN 'array' THEN p.document -> 'exclude_users' END)`

// EraseNames takes user names out of the versions that hold no more, and returns how many
// those were. In versions that hold or will hold they stay, which it counts too: without
// their name they would be measured.
func EraseNames(ctx context.Context, tx pgx.Tx, names []string) (erased, left int64, err error) {
	err = tx.QueryRow(ctx, `WITH named AS MATERIALIZED (
			SELECT p.version, p.valid_from > now() OR `+holds+` AS holds FROM policy p
			WHERE EXISTS (SELECT FROM `+namesSQL+` AS n(name) WHERE n.name = ANY($1))
		), erased AS (
			UPDATE policy p SET document = jsonb_set(p.document::jsonb, '{exclude_users}', (
				SELECT coalesce(jsonb_agg(n.name ORDER BY n.nth), '[]') FROM `+namesSQL+` WITH ORDINALITY AS n(name, nth)
				WHERE n.name <> ALL($1)))::json
			FROM named WHERE named.version = p.version AND NOT named.holds RETURNING p.version
		)
		SELECT (SELECT count(*) FROM erased), (SELECT count(*) FROM named WHERE holds)`, names).Scan(&erased, &left)
	if err != nil {
		return 0, 0, fmt.Errorf("erasing names in policy: %w", err)
	}
	return erased, left, nil
}
