package erasure

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/months"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/screenshots"
)

// erase erases a person, while no other change of people is under way.
func (e *Erasures) erase(ctx context.Context, tx pgx.Tx, id int64, now time.Time) (Certificate, error) {
	var c Certificate
	person, err := people.Find(ctx, tx, directory.Scope{}, id)
	if err != nil {
		return c, err
	}
	if len(person.Accounts) == 0 && person.Label == "" {
		return c, people.ErrNone // others' accounts were made with them, no more is known
	}
	keys := person.Keys()
	// Before any other lock: who closes a month has this one for a while.
	closed, err := months.Erase(ctx, tx, keys)
	if err != nil {
		return c, err
	}
	if err := leaveGroups(ctx, tx, keys); err != nil {
		return c, err
	}
	// Whoever writes of these accounts ends before, or finds that they are gone.
	if err := events.LockMachines(ctx, tx, keys); err != nil {
		return c, err
	}
	if c, err = e.note(ctx, tx, now, keys); err != nil {
		return c, err
	}
	c.Months = closed
	if c.Policies, c.PoliciesLeft, err = eraseNames(ctx, tx, keys); err != nil {
		return c, err
	}
	if c.Screenshots, err = screenshots.EraseRows(ctx, tx, c.ID, keys); err != nil {
		return c, err
	}
	if _, err = db.Exec(ctx, tx, "deleting what rules did", "DELETE FROM rule_move WHERE machine = ANY($1)", keys); err != nil {
		return c, err
	}
	if c.Notes, err = db.Exec(ctx, tx, "deleting notes", "DELETE FROM note WHERE machine = ANY($1)", keys); err != nil {
		return c, err
	}
	about := audit.About{MachineIDs: machineIDs(&person)}
	if about.People, c.Receipts, err = remove(ctx, tx, id, keys); err != nil {
		return c, err
	}
	if c.Texts, err = audit.EraseAbout(ctx, tx, about); err != nil {
		return c, err
	}
	_, err = db.Exec(ctx, tx, "noting what was erased", "UPDATE erasure SET receipts = $2, texts = $3, policies = $4, policies_left = $5, screenshots = $6, months = $7, notes = $8 WHERE id = $1",
		c.ID, c.Receipts, c.Texts, c.Policies, c.PoliciesLeft, c.Screenshots, c.Months, c.Notes)
	if err != nil {
		return c, err
	}
	return c, audit.Write(ctx, tx, audit.Change{
		What: "person.erased", ID: strconv.FormatInt(id, 10),
		Details: map[string]string{"erasure": strconv.FormatInt(c.ID, 10), "accounts": strconv.Itoa(c.Accounts)},
	})
}

func machineIDs(p *people.Person) []string {
	ids := make([]string, len(p.Accounts))
	for i := range p.Accounts {
		ids[i] = p.Accounts[i].MachineID
	}
	return ids
}

// leaveGroups takes accounts out of their groups. All groups are locked first, in one
// order, as by everybody who changes one; then none can be put into another.
func leaveGroups(ctx context.Context, tx pgx.Tx, keys []int32) error {
	if _, err := db.Exec(ctx, tx, "locking groups", "SELECT FROM machine_group ORDER BY id FOR NO KEY UPDATE"); err != nil {
		return err
	}
	if _, err := db.Exec(ctx, tx, "locking members of groups", "LOCK TABLE group_member IN SHARE ROW EXCLUSIVE MODE"); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, "leaving groups", `WITH gone AS (DELETE FROM group_member WHERE machine = ANY($1) RETURNING grp)
		UPDATE machine_group g SET members = g.members - n.n FROM (SELECT grp, count(*)::int AS n FROM gone GROUP BY grp) n WHERE n.grp = g.id`, keys)
	return err
}

// note writes down that these accounts are erased, and refuses their events of before.
func (e *Erasures) note(ctx context.Context, tx pgx.Tx, now time.Time, keys []int32) (c Certificate, err error) {
	list, err := e.certificates(ctx, tx, "INSERT INTO erasure (unreadable_at, accounts) VALUES ($1, $2) RETURNING "+certificateColumns, now, len(keys))
	if err != nil {
		return c, err
	}
	c = list[0]
	_, err = db.Exec(ctx, tx, "noting what is left to delete", "INSERT INTO erasure_machine (key, erasure, next_at) SELECT m, $2, $3 FROM unnest($1::int[]) m", keys, c.ID, now)
	if err != nil {
		return c, err
	}
	_, err = db.Exec(ctx, tx, "refusing events of before", `INSERT INTO tombstone (digest, erased_at) SELECT tombstone_of(machine_id), $2 FROM machine WHERE id = ANY($1)
		ON CONFLICT (digest) DO UPDATE SET erased_at = excluded.erased_at`, keys, now)
	return c, err
}

// eraseNames erases the accounts' user names in policy, but for those that other accounts
// have too.
func eraseNames(ctx context.Context, tx pgx.Tx, keys []int32) (erased, left int64, err error) {
	var names []string
	err = tx.QueryRow(ctx, `SELECT coalesce(array_agg(DISTINCT username), '{}') FROM machine m WHERE id = ANY($1) AND username <> ''
		AND NOT EXISTS (SELECT FROM machine o WHERE o.username = m.username AND o.id <> ALL($1))`, keys).Scan(&names)
	if err != nil {
		return 0, 0, fmt.Errorf("reading user names: %w", err)
	}
	if len(names) == 0 {
		return 0, 0, nil
	}
	return policies.EraseNames(ctx, tx, names)
}

// remove removes accounts with all that refers to them, and the people who have none then;
// it returns who these are, and how many receipts there were. Who is another account's first
// person stays, without a name.
func remove(ctx context.Context, tx pgx.Tx, person int64, keys []int32) (gone []string, receipts int64, err error) {
	var homes []int64
	if err := tx.QueryRow(ctx, "SELECT coalesce(array_agg(home), '{}') FROM account WHERE machine = ANY($1)", keys).Scan(&homes); err != nil {
		return nil, 0, fmt.Errorf("reading whom accounts were made with: %w", err)
	}
	// Others of the same name, who had no room with them, may be one person now.
	var namesakes []int32
	err = tx.QueryRow(ctx, `SELECT coalesce(array_agg(DISTINCT o.machine), '{}') FROM account a JOIN account o ON o.rule = a.rule AND o.name = a.name
		WHERE a.machine = ANY($1) AND o.machine <> ALL($1)`, keys).Scan(&namesakes)
	if err != nil {
		return nil, 0, fmt.Errorf("reading who has the same name: %w", err)
	}
	if receipts, err = db.Exec(ctx, tx, "deleting receipts", "DELETE FROM receipt WHERE machine = ANY($1)", keys); err != nil {
		return nil, 0, err
	}
	batch := &pgx.Batch{}
	batch.Queue("DELETE FROM machine WHERE id = ANY($1)", keys)
	batch.Queue("DELETE FROM group_person WHERE person = $1", person)
	batch.Queue("UPDATE person SET label = '' WHERE id = $1", person)
	batch.Queue("UPDATE app_user SET person = NULL WHERE person = $1", person)
	batch.Queue("SELECT apply_name_rule($1)", namesakes)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, 0, fmt.Errorf("removing accounts: %w", err)
	}
	type one struct{ ID string }
	list, err := db.Collect[one](ctx, tx, "removing people", `WITH gone AS (DELETE FROM person p WHERE id = ANY($1)
			AND NOT EXISTS (SELECT FROM account a WHERE a.person = p.id OR a.home = p.id) RETURNING id)
		SELECT id::text FROM gone UNION SELECT $2::bigint::text`, append(homes, person), person)
	for _, p := range list {
		gone = append(gone, p.ID)
	}
	return gone, receipts, err
}
