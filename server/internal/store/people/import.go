package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// Assignment is whose some accounts are.
type Assignment struct {
	// ID is a person's; 0: whoever has that label, or else somebody new to it.
	ID         int64
	Label      string
	MachineIDs []string
}

// AmbiguousError means that several people have a label.
type AmbiguousError string

// Error returns what is wrong.
func (e AmbiguousError) Error() string {
	return fmt.Sprintf("several people are called %q: name one by id", string(e))
}

// Decided makes it a db.Decision.
func (AmbiguousError) Decided() {}

// Imported is what an import did.
type Imported struct {
	// People is how many it named, Joined how many accounts came to them that they did
	// not have.
	People int `json:"people"`
	Joined int `json:"joined"`
}

// Import makes all assignments, or none. What is so already stays; nothing is parted
// but by joining it elsewhere.
func (p *People) Import(ctx context.Context, list []Assignment) (Imported, error) {
	var done Imported
	err := p.change(ctx, "importing people", func(tx pgx.Tx) error {
		done = Imported{}
		var all []string
		for _, a := range list {
			all = append(all, a.MachineIDs...)
		}
		if _, err := keysOf(ctx, tx, all); err != nil {
			return err
		}
		for i := range list {
			joined, err := assign(ctx, tx, &list[i])
			if err != nil {
				return err
			}
			done.People++
			done.Joined += joined
		}
		if done.People == 0 {
			return nil
		}
		return audit.Write(ctx, tx, audit.Change{What: "people.imported", Details: map[string]string{
			"people": strconv.Itoa(done.People), "joined": strconv.Itoa(done.Joined),
		}})
	})
	return done, err
}

// assign makes one assignment and returns how many accounts it joined.
func assign(ctx context.Context, tx pgx.Tx, a *Assignment) (int, error) {
	id, err := assignee(ctx, tx, a)
	if errors.Is(err, ErrNone) {
		return 0, fmt.Errorf("person %d: %w", a.ID, err)
	}
	if err != nil {
		return 0, err
	}
	if a.ID == 0 {
		if _, err := db.Exec(ctx, tx, "labelling", "UPDATE person SET label = $2 WHERE id = $1 AND label <> $2", id, a.Label); err != nil {
			return 0, err
		}
	}
	var come int
	err = tx.QueryRow(ctx, "SELECT count(*) FROM account a JOIN machine m ON m.id = a.machine WHERE m.machine_id = ANY($1) AND a.person <> $2", a.MachineIDs, id).Scan(&come)
	if err != nil {
		return 0, fmt.Errorf("counting whom it changes: %w", err)
	}
	if come == 0 {
		return 0, nil
	}
	return come, join(ctx, tx, id, a.MachineIDs)
}

// assignee returns who is meant by an assignment.
func assignee(ctx context.Context, tx pgx.Tx, a *Assignment) (int64, error) {
	if a.ID != 0 {
		_, err := Find(ctx, tx, directory.Scope{}, a.ID)
		return a.ID, err
	}
	called, err := db.Collect[struct{ ID int64 }](ctx, tx, "looking for the label", `SELECT id FROM person p
		WHERE label = $1 AND EXISTS (SELECT FROM account a WHERE a.person = p.id) ORDER BY id LIMIT 2`, a.Label)
	if err != nil {
		return 0, err
	}
	switch len(called) {
	case 1:
		return called[0].ID, nil
	case 0:
		return somebody(ctx, tx, a)
	}
	return 0, AmbiguousError(a.Label)
}

// somebody returns a person for accounts whose label nobody has: who has the first of
// them and no account that is not among them, or a new one.
func somebody(ctx context.Context, tx pgx.Tx, a *Assignment) (int64, error) {
	list, err := findByAccount(ctx, tx, Filter{MachineID: a.MachineIDs[0], Limit: 1})
	if err != nil {
		return 0, err
	}
	other := func(m directory.Machine) bool { return !slices.Contains(a.MachineIDs, m.MachineID) }
	if len(list) == 1 && !slices.ContainsFunc(list[0].Accounts, other) {
		return list[0].ID, nil
	}
	var id int64
	if err := tx.QueryRow(ctx, "INSERT INTO person (label) VALUES ($1) RETURNING id", a.Label).Scan(&id); err != nil {
		return 0, fmt.Errorf("making a person: %w", err)
	}
	return id, nil
}
