package policies

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// previewNames bounds the user names that a preview lists, and previewApart the accounts
	// of each that stay apart; those that are joined are few.
	previewNames = 500
	previewApart = 100
)

// errTakenBack ends the transaction of a preview.
const errTakenBack refusal = "a preview changes nothing"

// PreviewNames returns what confirming that a group's hosts share one directory would do
// to their accounts: it does it, looks, and takes it back.
func (p *Policies) PreviewNames(ctx context.Context, c HostGroupChange) (found api.NamesPreview, err error) {
	yes := true
	c.SameDirectory = &yes
	err = p.db.Write(ctx, "previewing the rule of equal user names", func(tx pgx.Tx) error {
		before, err := peopleOf(ctx, tx, c.Hosts)
		if err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, "making the group", "INSERT INTO host_group (name) VALUES ($1) ON CONFLICT DO NOTHING", c.Name); err != nil {
			return err
		}
		id, err := hostGroup(ctx, tx, c.Name)
		if err != nil {
			return err
		}
		if err := setHosts(ctx, tx, id, c); err != nil {
			return err
		}
		after, err := peopleOf(ctx, tx, c.Hosts)
		if err != nil {
			return err
		}
		found = api.NamesPreview{Names: []api.NamePreview{}}
		for key, person := range after {
			if was, known := before[key]; known && was != person {
				found.Accounts++
			}
		}
		if err := listNames(ctx, tx, id, &found); err != nil {
			return err
		}
		return errTakenBack
	})
	if errors.Is(err, errTakenBack) {
		err = nil
	}
	return found, err
}

// peopleOf returns the people of the accounts of hosts, by the accounts' rows.
func peopleOf(ctx context.Context, tx pgx.Tx, hostIDs []string) (map[int32]int64, error) {
	type account struct {
		Key    int32
		Person int64
	}
	list, err := db.Collect[account](ctx, tx, "reading whose accounts are", `SELECT a.machine, a.person FROM host h
		JOIN machine m ON m.host = h.id JOIN account a ON a.machine = m.id WHERE h.host_id = ANY($1)`, hostIDs)
	people := make(map[int32]int64, len(list))
	for _, a := range list {
		people[a.Key] = a.Person
	}
	return people, err
}

// listNames adds the user names that several accounts under a group's rule have.
func listNames(ctx context.Context, tx pgx.Tx, id int32, found *api.NamesPreview) error {
	// The person of a name is who has most of its accounts, if that is several.
	const most = `WITH each AS MATERIALIZED (SELECT name, person, count(*) AS n FROM account WHERE rule = $1 GROUP BY name, person),
		named AS MATERIALIZED (SELECT DISTINCT ON (name) name, CASE WHEN n > 1 THEN person END AS person, sum(n) OVER (PARTITION BY name) AS accounts
			FROM each ORDER BY name, n DESC, person) `
	aside, err := listAside(ctx, tx, id)
	if err != nil {
		return err
	}
	var names int64
	err = tx.QueryRow(ctx, most+"SELECT count(*), count(person) FROM named WHERE accounts > 1", id).Scan(&names, &found.People)
	if err != nil {
		return fmt.Errorf("counting names: %w", err)
	}
	rows, err := tx.Query(ctx, most+`SELECT n.name, n.person, coalesce(p.label, ''),
			ARRAY(SELECT m.machine_id FROM account a JOIN machine m ON m.id = a.machine WHERE a.rule = $1 AND a.name = n.name AND a.person = n.person ORDER BY 1),
			ARRAY(SELECT m.machine_id FROM account a JOIN machine m ON m.id = a.machine WHERE a.rule = $1 AND a.name = n.name AND a.person IS DISTINCT FROM n.person
				ORDER BY 1 LIMIT $3),
			ARRAY(SELECT a.machine FROM account a WHERE a.rule = $1 AND a.name = n.name)
		FROM named n LEFT JOIN person p ON p.id = n.person WHERE n.accounts > 1 ORDER BY n.accounts DESC, n.name LIMIT $2`, id, previewNames, previewApart)
	if err != nil {
		return fmt.Errorf("listing names: %w", err)
	}
	var one api.NamePreview
	var person *int64
	var keys []int32
	_, err = pgx.ForEachRow(rows, []any{&one.Username, &person, &one.Label, &one.Joined, &one.Apart, &keys}, func() error {
		add := one
		if person != nil {
			add.Person = "p" + strconv.FormatInt(*person, 10) // as all other answers have it
		}
		if add.Aside = aside[one.Username]; add.Aside == nil {
			add.Aside = []api.PersonAside{}
		}
		add.AccountsLeftOff = int64(len(keys) - len(add.Joined) - len(add.Apart))
		access.See(ctx, keys...)
		found.Names = append(found.Names, add)
		return nil
	})
	found.NamesLeftOff = names - int64(len(found.Names))
	return err
}

// listAside returns the people without accounts, by the user name of what was theirs, who
// have a label, groups or a user.
func listAside(ctx context.Context, tx pgx.Tx, id int32) (map[string][]api.PersonAside, error) {
	rows, err := tx.Query(ctx, `SELECT a.name, 'p' || h.id, h.label, g.names, u.names
		FROM account a JOIN person h ON h.id = a.home
		CROSS JOIN LATERAL (SELECT ARRAY(SELECT g.name FROM group_person p JOIN machine_group g ON g.id = p.grp WHERE p.person = h.id ORDER BY g.name) AS names) g
		CROSS JOIN LATERAL (SELECT ARRAY(SELECT login FROM app_user WHERE person = h.id ORDER BY login) AS names) u
		WHERE a.rule = $1 AND a.person <> a.home AND (h.label <> '' OR g.names <> '{}' OR u.names <> '{}')
			AND NOT EXISTS (SELECT FROM account o WHERE o.person = h.id) ORDER BY a.name, h.id`, id)
	if err != nil {
		return nil, fmt.Errorf("listing people who would have no account: %w", err)
	}
	aside := map[string][]api.PersonAside{}
	var name string
	var one api.PersonAside
	_, err = pgx.ForEachRow(rows, []any{&name, &one.Person, &one.Label, &one.Groups, &one.Users}, func() error {
		aside[name] = append(aside[name], one)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing people who would have no account: %w", err)
	}
	return aside, nil
}
