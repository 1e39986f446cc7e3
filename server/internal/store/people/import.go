package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
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
	// Moved are these accounts, Aside those of whom none is left.
	Moved []Moved `json:"-"`
	Aside []Aside `json:"-"`
	// labelled are people who are called otherwise by it, and had accounts before.
	labelled []Person
}

// Moved is an account that came to another person.
type Moved struct {
	MachineID string
	From, To  Whose
	// New means that the person was made by it.
	New bool
}

// Whose is whose an account is, and which groups hold it.
type Whose struct {
	Person int64
	Label  string
	Groups []string
}

// Aside is somebody of whom no account is left, with what of them rests.
type Aside struct {
	Person        int64
	Label         string
	Groups, Users []string
}

// errPreviewed ends a transaction that was made to see what it does.
const errPreviewed refusal = "it was a preview"

// Import makes all assignments, or none. What is so already stays; nothing is parted
// but by joining it elsewhere.
func (p *People) Import(ctx context.Context, list []Assignment) (Imported, error) {
	return p.imported(ctx, list, false)
}

// PreviewImport returns what Import would do, and changes nothing.
func (p *People) PreviewImport(ctx context.Context, list []Assignment) (Imported, error) {
	done, err := p.imported(ctx, list, true)
	if errors.Is(err, errPreviewed) {
		err = nil
	}
	return done, err
}

func (p *People) imported(ctx context.Context, list []Assignment, preview bool) (Imported, error) {
	var done Imported
	err := p.change(ctx, "importing people", func(tx pgx.Tx) (err error) {
		if done, err = assignAll(ctx, tx, list); err != nil || done.People == 0 {
			return err
		}
		if preview {
			return errPreviewed
		}
		return done.write(ctx, tx)
	})
	return done, err
}

// write writes down what was imported: how many, and of each person what they became, as if that
// were done one by one. Else an import would be the way to join accounts that nobody sees whose
// they were, and erasing somebody would find no names to take away.
func (d *Imported) write(ctx context.Context, tx pgx.Tx) error {
	list := []audit.Change{{What: "people.imported", Details: map[string]string{"people": strconv.Itoa(d.People), "joined": strconv.Itoa(d.Joined)}}}
	for _, p := range d.labelled {
		list = append(list, p.become("person.labelled"))
	}
	var order []int64
	accounts, to := map[int64][]string{}, map[int64]Person{}
	for i := range d.Moved {
		m := &d.Moved[i]
		if _, known := to[m.To.Person]; !known {
			order = append(order, m.To.Person)
			to[m.To.Person] = Person{ID: m.To.Person, Label: m.To.Label}
		}
		accounts[m.To.Person] = append(accounts[m.To.Person], m.MachineID)
	}
	for _, id := range order {
		p := to[id]
		list = append(list, p.become("person.joined", accounts[id]...))
	}
	for _, c := range list {
		if err := audit.Write(ctx, tx, c); err != nil {
			return err
		}
	}
	return nil
}

// assignAll makes all assignments, and returns what they did.
func assignAll(ctx context.Context, tx pgx.Tx, list []Assignment) (done Imported, err error) {
	var all []string
	for _, a := range list {
		all = append(all, a.MachineIDs...)
	}
	keys, err := keysOf(ctx, tx, all)
	if err != nil {
		return done, err
	}
	access.See(ctx, keys...)
	before, last, err := whose(ctx, tx, keys)
	if err != nil {
		return done, err
	}
	for i := range list {
		joined, err := assign(ctx, tx, &list[i])
		if err != nil {
			return done, err
		}
		done.People++
		done.Joined += joined
	}
	after, _, err := whose(ctx, tx, keys)
	if err != nil {
		return done, err
	}
	var from []int64
	for i, was := range before {
		is := after[i]
		known := func(p Person) bool { return p.ID == is.Person }
		if was.Person == is.Person && was.Label != is.Label && !slices.ContainsFunc(done.labelled, known) {
			done.labelled = append(done.labelled, Person{ID: is.Person, Label: is.Label})
		}
		if was.Person != is.Person {
			done.Moved = append(done.Moved, Moved{MachineID: was.MachineID, From: was.Whose, To: is.Whose, New: is.Person > last})
			from = append(from, was.Person)
		}
	}
	done.Aside, err = db.Collect[Aside](ctx, tx, "looking who has no account left", asideSQL, from)
	return done, err
}

// asideSQL returns those of people $1 who have no account, but something that rests.
const asideSQL = `SELECT * FROM (SELECT p.id, p.label,
			ARRAY(SELECT g.name::text FROM group_person i JOIN machine_group g ON g.id = i.grp WHERE i.person = p.id ORDER BY g.name) AS groups,
			ARRAY(SELECT u.login::text FROM app_user u WHERE u.person = p.id ORDER BY u.login) AS users
		FROM person p WHERE p.id = ANY($1) AND NOT EXISTS (SELECT FROM account a WHERE a.person = p.id)) AS t
	WHERE label <> '' OR groups <> '{}' OR users <> '{}' ORDER BY id`

// whoseNow is whose an account is.
type whoseNow struct {
	MachineID string
	Whose
}

// whose returns whose accounts are, in the order of their rows, and the newest person.
func whose(ctx context.Context, tx pgx.Tx, keys []int32) (list []whoseNow, last int64, err error) {
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(id), 0) FROM person").Scan(&last); err != nil {
		return nil, 0, fmt.Errorf("looking for the newest person: %w", err)
	}
	list, err = db.Collect[whoseNow](ctx, tx, "reading whose accounts are", `SELECT m.machine_id, a.person, p.label,
			ARRAY(SELECT g.name::text FROM group_member i JOIN machine_group g ON g.id = i.grp WHERE i.machine = m.id ORDER BY g.name)
		FROM machine m JOIN account a ON a.machine = m.id JOIN person p ON p.id = a.person WHERE m.id = ANY($1) ORDER BY m.id`, keys)
	return list, last, err
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
