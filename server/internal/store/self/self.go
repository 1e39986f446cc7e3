// Package self keeps who is who of those who are measured: links that open one's own
// account, the logins that they make, and which accounts are a user's own.
package self

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/users"
)

const (
	// LinkLasts is for how long a link is good: enough to open it, too short to be left
	// lying about.
	LinkLasts = time.Minute
	// MaxLinks is how many an account is given in that time.
	MaxLinks = 5
	// maxLogins is how many logins may open an account at once; the oldest ends for one
	// more.
	maxLogins = 5
	// sweptAtOnce bounds the links of others that making one deletes.
	sweptAtOnce = 100
	// maxOwn is how many accounts a user may have opened: as many as a person may have.
	maxOwn = people.MaxAccounts
)

// Self knows them in one database.
type Self struct{ db *db.DB }

// New returns those of a database.
func New(d *db.DB) *Self { return &Self{db: d} }

type refusal string

func (e refusal) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (refusal) Decided() {}

// What is refused.
const (
	// ErrNotOwned means that the host has no such machine_id, whether or not another has.
	ErrNotOwned refusal = "the host has no such machine_id"
	ErrTooMany  refusal = "the account was given as many links as it may within a minute"
	// ErrLink means that a link is unknown, was used, or is over: which, nobody learns.
	ErrLink refusal = "the link is unknown, was used, or is over"
	// ErrOther means that a user is somebody else already.
	ErrOther refusal = "the user is tied to another person"
	ErrFull  refusal = "the user has opened as many accounts as they may"
	// ErrNobody means that a user is nobody of those who are measured.
	ErrNobody refusal = "the user is tied to no person"
)

// Link is a link without its secret.
type Link struct {
	ID   string
	Hash []byte
}

// Make keeps a link to a host's account.
func (s *Self) Make(ctx context.Context, host int64, machineID string, l Link) error {
	return s.db.Write(ctx, "making a link to an account", func(tx pgx.Tx) error {
		var machine *int32
		// Its row is locked, so that links of one account are counted one after the other.
		err := tx.QueryRow(ctx, `SELECT max(id) FROM (SELECT id FROM machine WHERE machine_id = $1 AND host = $2 FOR NO KEY UPDATE) m`,
			machineID, host).Scan(&machine)
		if err != nil {
			return fmt.Errorf("looking up the machine: %w", err)
		}
		if machine == nil {
			return ErrNotOwned
		}
		_, err = db.Exec(ctx, tx, "sweeping", `DELETE FROM self_link WHERE id = ANY(ARRAY(
			SELECT id FROM self_link WHERE created_at <= now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED))`, LinkLasts, sweptAtOnce)
		if err != nil {
			return err
		}
		n, err := db.Exec(ctx, tx, "inserting", `INSERT INTO self_link (id, machine, secret_hash) SELECT $1, $2, $3
			WHERE (SELECT count(*) FROM self_link WHERE machine = $2 AND created_at > now() - $4::interval) < $5`,
			l.ID, *machine, l.Hash, LinkLasts, MaxLinks)
		if err == nil && n == 0 {
			err = ErrTooMany
		}
		return err
	})
}

// Account is whose a link is.
type Account struct {
	// Machine is its row, Host that of the host that reports it.
	Machine   int32
	Host      int64
	MachineID string
}

// Look returns whose a link is, if its secret is right, and leaves it as it is; or ErrLink.
func (s *Self) Look(ctx context.Context, link string, matches func(hash []byte) bool) (a Account, err error) {
	err = s.db.Read(ctx, "looking up a link", func(tx pgx.Tx) (err error) {
		a, err = look(ctx, tx, link, matches, "")
		return err
	})
	return a, err
}

func look(ctx context.Context, tx pgx.Tx, link string, matches func([]byte) bool, lock string) (a Account, err error) {
	var hash []byte
	err = tx.QueryRow(ctx, `SELECT m.id, m.host, m.machine_id, l.secret_hash FROM self_link l JOIN machine m ON m.id = l.machine
		WHERE l.id = $1 AND NOT l.used AND l.created_at > now() - $2::interval `+lock, link, LinkLasts).Scan(&a.Machine, &a.Host, &a.MachineID, &hash)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !matches(hash) {
		return Account{}, ErrLink
	}
	if err != nil {
		return Account{}, fmt.Errorf("looking up a link: %w", err)
	}
	return a, nil
}

// use uses a link up. Of two at once the second waits at its row, and finds it used.
func use(ctx context.Context, tx pgx.Tx, link string, matches func([]byte) bool) (Account, error) {
	a, err := look(ctx, tx, link, matches, "FOR UPDATE OF l")
	if err != nil {
		return a, err
	}
	_, err = db.Exec(ctx, tx, "using it up", "UPDATE self_link SET used = true WHERE id = $1", link)
	return a, err
}

// Open uses a link up for a login that opens its account and nothing else, or returns
// ErrLink. A login that it replaces ends if it is of this kind; a user's never does.
func (s *Self) Open(ctx context.Context, link string, matches func(hash []byte) bool, f users.Fresh) (a Account, err error) {
	err = s.db.Write(ctx, "opening one's own account", func(tx pgx.Tx) error {
		if a, err = use(ctx, tx, link, matches); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, "ending old ones", `DELETE FROM login_session WHERE machine IS NOT NULL AND id = $2 OR machine = $1 AND id NOT IN (
			SELECT id FROM login_session WHERE machine = $1 ORDER BY created_at DESC, id LIMIT $3)`, a.Machine, f.Replaces, maxLogins-1)
		if err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, "inserting", `INSERT INTO login_session (id, machine, secret_hash, address, agent) VALUES ($1, $2, $3, $4, $5)`,
			f.ID, a.Machine, f.Hash, f.Address, f.Agent)
		return err
	})
	return a, err
}

// End ends a login that opens an account.
func (s *Self) End(ctx context.Context, login string) error {
	return s.db.Write(ctx, "ending a login", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "deleting", "DELETE FROM login_session WHERE id = $1 AND machine IS NOT NULL", login)
		return err
	})
}

// Own is what is somebody's own: accounts of one person.
type Own struct {
	Person   int64
	Accounts []int32
	// Host is that of the one account that a link has opened; 0 of users.
	Host int64
}

// OfAccount returns that account alone, with the person whose it is; or ErrNobody.
func (s *Self) OfAccount(ctx context.Context, machine int32) (Own, error) {
	o := Own{Accounts: []int32{machine}}
	err := s.db.Read(ctx, "looking up whose an account is", func(tx pgx.Tx) error {
		return nobody(tx.QueryRow(ctx, "SELECT a.person, m.host FROM account a JOIN machine m ON m.id = a.machine WHERE m.id = $1", machine).Scan(&o.Person, &o.Host))
	})
	return o, err
}

// ownSQL returns what is a user's own.
const ownSQL = "SELECT own.person, own.machines FROM app_user u CROSS JOIN LATERAL (" + users.OwnSQL + ") own WHERE u.id = $1"

// OfUser returns what is a user's own, or ErrNobody.
func (s *Self) OfUser(ctx context.Context, user string) (o Own, err error) {
	err = s.db.Read(ctx, "looking up who a user is", func(tx pgx.Tx) error {
		return nobody(tx.QueryRow(ctx, ownSQL, user).Scan(&o.Person, &o.Accounts))
	})
	return o, err
}

func nobody(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNobody
	}
	return err
}

// TieAccount uses a link up to make its account a user's own, alone; or returns ErrLink,
// ErrOther or ErrFull.
func (s *Self) TieAccount(ctx context.Context, user string, link string, matches func(hash []byte) bool) (a Account, err error) {
	err = s.db.Write(ctx, "tying a user to an account", func(tx pgx.Tx) error {
		login, err := lock(ctx, tx, user)
		if err != nil {
			return err
		}
		if a, err = use(ctx, tx, link, matches); err != nil {
			return err
		}
		var other bool
		var n int
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM (`+ownSQL+`) AS o WHERE o.person <> (SELECT person FROM account WHERE machine = $2)),
			(SELECT count(*) FROM own_account WHERE usr = $1 AND machine <> $2)`, user, a.Machine).Scan(&other, &n)
		switch {
		case err != nil:
			return fmt.Errorf("looking up who the user is: %w", err)
		case other:
			return ErrOther
		case n >= maxOwn:
			return ErrFull
		}
		_, err = db.Exec(ctx, tx, "inserting", "INSERT INTO own_account (usr, machine) VALUES ($1, $2) ON CONFLICT (usr, machine) DO UPDATE SET tied_at = now()",
			user, a.Machine)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: userTied, ID: user, Name: login, Details: map[string]string{"machine_ids": audit.Names(a.MachineID)}})
	})
	return a, err
}

// lock has changes of one user follow each other, and returns their name, or users.ErrNone.
func lock(ctx context.Context, tx pgx.Tx, user string) (login string, err error) {
	err = tx.QueryRow(ctx, "SELECT login FROM app_user WHERE id = $1 FOR NO KEY UPDATE", user).Scan(&login)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", users.ErrNone
	}
	return login, err
}

// The kinds of changes.
const (
	userTied   = "user.tied"
	userUntied = "user.untied"
)

// TiePerson makes a user a person, in the place of any before, and of accounts that they
// opened; or returns users.ErrNone or people.ErrNone.
func (s *Self) TiePerson(ctx context.Context, user string, person int64) error {
	return s.set(ctx, user, func(tx pgx.Tx) (audit.Change, error) {
		found, err := people.Find(ctx, tx, directory.Scope{}, person)
		if err == nil && len(found.Accounts) == 0 {
			err = people.ErrNone
		}
		if err != nil {
			return audit.Change{}, err
		}
		_, err = db.Exec(ctx, tx, "tying", "UPDATE app_user SET person = $2 WHERE id = $1", user, person)
		return audit.Change{What: userTied, ID: user, Details: map[string]string{"person": fmt.Sprint(person)}}, err
	})
}

// Untie makes a user nobody of those who are measured, or returns users.ErrNone.
func (s *Self) Untie(ctx context.Context, user string) error {
	return s.set(ctx, user, func(tx pgx.Tx) (audit.Change, error) {
		_, err := db.Exec(ctx, tx, "untying", "UPDATE app_user SET person = NULL WHERE id = $1", user)
		return audit.Change{What: userUntied, ID: user}, err
	})
}

// set forgets the accounts that a user opened, does something else, and writes it down.
func (s *Self) set(ctx context.Context, user string, do func(pgx.Tx) (audit.Change, error)) error {
	return s.db.Write(ctx, "changing who a user is", func(tx pgx.Tx) error {
		login, err := lock(ctx, tx, user)
		if err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, "forgetting accounts", "DELETE FROM own_account WHERE usr = $1", user); err != nil {
			return err
		}
		change, err := do(tx)
		if err != nil {
			return err
		}
		change.Name = login
		return audit.Write(ctx, tx, change)
	})
}
