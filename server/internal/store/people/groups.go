package people

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// AddToGroup puts a person into a group, where they may be already, and with them all
// accounts that they have and will have. It returns directory.ErrNoGroup or ErrNone.
func (p *People) AddToGroup(ctx context.Context, group string, id int64) error {
	return p.changeGroup(ctx, "putting a person into a group", "group.person_added", group, id, `INSERT INTO group_person (grp, person) VALUES ($1, $2)
		ON CONFLICT DO NOTHING`)
}

// RemoveFromGroup takes a person out of a group, where they may not be. Accounts that
// were put into it themselves stay.
func (p *People) RemoveFromGroup(ctx context.Context, group string, id int64) error {
	return p.changeGroup(ctx, "taking a person out of a group", "group.person_removed", group, id, "DELETE FROM group_person WHERE grp = $1 AND person = $2")
}

func (p *People) changeGroup(ctx context.Context, what, kind, group string, id int64, sql string) error {
	return p.change(ctx, what, func(tx pgx.Tx) error {
		g, err := directory.LockGroup(ctx, tx, group)
		if err != nil {
			return err
		}
		person, err := Find(ctx, tx, directory.Scope{}, id)
		if err != nil {
			return err
		}
		n, err := db.Exec(ctx, tx, "changing", sql, g.Key, id)
		if err != nil {
			return err
		}
		if err := regroup(ctx, tx, person.Keys()); err != nil || n == 0 {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: kind, Name: group, Details: map[string]string{"person": strconv.FormatInt(id, 10)}})
	})
}

// GroupPeople lists up to limit people who were put into a group, those with an id
// greater than after, with their accounts: all of the group's.
func (p *People) GroupPeople(ctx context.Context, scope directory.Scope, group string, after int64, limit int) ([]Person, error) {
	var list []Person
	err := p.db.Report(ctx, "listing the people of a group", func(tx pgx.Tx) error {
		g, err := directory.FindGroup(ctx, tx, scope, group)
		if err != nil {
			return err
		}
		list, err = db.Collect[Person](ctx, tx, "reading", `SELECT `+personColumns+` FROM group_person g JOIN person p ON p.id = g.person
			WHERE g.grp = $1 AND p.id > $2 ORDER BY p.id LIMIT $3`, g.Key, after, limit)
		if err != nil {
			return err
		}
		return addAccounts(ctx, tx, scope, list)
	})
	return list, err
}
