// Package export writes everything that is kept about one person as a ZIP archive of CSV
// and JSON. It is written as it is read: nothing is collected before.
package export

import (
	"archive/zip"
	"context"
	"encoding/json"
	"io"
	"iter"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/dossier"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/screenshots"
	"activity-tracker.example/server/internal/store/walk"
)

const (
	// Type is the media type of an export.
	Type = "application/zip"
	// eventsAtOnce is how many records a page of them has.
	eventsAtOnce = 2000
	// pageTimeout bounds getting one page; the whole may take as long as its reader reads.
	pageTimeout = 10 * time.Second
)

// Exports makes exports from these rooms.
type Exports struct {
	People  *people.People
	Reader  *query.Reader
	Dossier *dossier.Dossier
	Looked  *looked.List
	// Screenshots are pictures of screens.
	Screenshots *screenshots.Screenshots
	// Notes are what people wrote.
	Notes *notes.Notes
}

// Export is one of one person, with the accounts that they had when it began.
type Export struct {
	from   Exports
	person people.Person
	homes  []dossier.Home
	keys   []int32
	whole  whole
}

// whole is person.json.
type whole struct {
	ID        string    `json:"id"`
	Label     string    `json:"label"`
	CreatedAt time.Time `json:"created_at"`
	// Partial means that they have other accounts, which are not in here.
	Partial  bool              `json:"partial"`
	Accounts []dossier.Account `json:"accounts"`
	// MadeAs are those whom an account was made with, and who have no other.
	MadeAs []home               `json:"accounts_made_as"`
	Groups []dossier.Membership `json:"groups"`
	// Users are the login names of those who see this as their own.
	Users []string `json:"users"`
	// Links and Logins are those by which an account was opened from its host.
	Links  []dossier.Link  `json:"links"`
	Logins []dossier.Login `json:"logins"`
}

type home struct {
	ID        string    `json:"id"`
	Label     string    `json:"label"`
	CreatedAt time.Time `json:"created_at"`
}

// Find returns what there is of those accounts of a person that are in scope, or
// people.ErrNone.
func (e Exports) Find(ctx context.Context, scope directory.Scope, id report.PersonID) (*Export, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	p, err := e.People.ByID(ctx, scope, int64(id))
	if err != nil {
		return nil, err
	}
	x := &Export{from: e, person: p}
	for i := range p.Accounts {
		x.keys = append(x.keys, p.Accounts[i].Key)
	}
	if x.homes, err = e.Dossier.Homes(ctx, p.ID, x.keys); err != nil {
		return nil, err
	}
	x.whole = whole{ID: report.PersonID(p.ID).String(), Label: p.Label, CreatedAt: p.CreatedAt.UTC(), Partial: p.Partial, MadeAs: []home{}}
	ids := []int64{p.ID}
	for _, h := range x.homes {
		ids = append(ids, h.ID)
		x.whole.MadeAs = append(x.whole.MadeAs, home{report.PersonID(h.ID).String(), h.Label, h.CreatedAt.UTC()})
	}
	if x.whole.Accounts, err = e.Dossier.Accounts(ctx, x.keys); err != nil {
		return nil, err
	}
	person := p.ID
	if p.Partial {
		// Who sees a part of somebody learns nothing of the whole: a root whose account a rule
		// has joined to another host's user opens that account's link.
		x.whole.Label, person, ids = "", 0, nil
	}
	if x.whole.Users, err = e.Dossier.Users(ctx, person, x.keys); err != nil {
		return nil, err
	}
	if x.whole.Links, err = e.Dossier.Links(ctx, x.keys); err != nil {
		return nil, err
	}
	if x.whole.Logins, err = e.Dossier.Logins(ctx, x.keys); err != nil {
		return nil, err
	}
	x.whole.Groups, err = e.Dossier.Groups(ctx, ids, x.keys)
	return x, err
}

// Keys are the rows of the person's accounts.
func (x *Export) Keys() []int32 { return x.keys }

// File is the archive's name.
func (x *Export) File() string { return "person-" + x.whole.ID + ".zip" }

// Write writes the archive. Where that fails it has no end, by which every program that
// opens one finds that it is not whole.
func (x *Export) Write(ctx context.Context, w io.Writer) error {
	z := zip.NewWriter(w)
	if err := addText(z, readmeName, readme()); err != nil {
		return err
	}
	person, err := json.MarshalIndent(x.whole, "", "  ")
	if err != nil {
		return err
	}
	if err := addText(z, dossier.FilePerson+asJSON, string(person)+"\n"); err != nil {
		return err
	}
	for _, add := range []func() error{
		func() error { return addList(z, dossier.FileEvents, x.events(ctx)) },
		func() error { return addList(z, dossier.FileSums, x.sums(ctx)) },
		func() error { return addList(z, dossier.FileNotCollected, x.uncollected(ctx)) },
		func() error { return addList(z, dossier.FileReceipts, x.receipts(ctx)) },
		func() error { return addList(z, dossier.FileScreenshots, x.screenshots(ctx)) },
		func() error { return x.addPictures(ctx, z) },
		func() error { return addList(z, dossier.FileNotes, x.notes(ctx)) },
		func() error {
			return addList(z, dossier.FileAccess, func() iter.Seq2[api.Access, error] { return x.from.Looked.OfMachines(ctx, x.keys) })
		},
		func() error {
			return addList(z, dossier.FileChanges, func() iter.Seq2[api.Change, error] { return x.changes(ctx) })
		},
		func() error { return addList(z, dossier.FilePolicy, x.policy(ctx)) },
		func() error { return addList(z, dossier.FileMonths, x.closedMonths(ctx)) },
	} {
		if err := add(); err != nil {
			return err
		}
	}
	return z.Close()
}

// events are the records of one account after the other.
func (x *Export) events(ctx context.Context) func() iter.Seq2[api.Event, error] {
	end := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	return overAccounts(ctx, x, func(ctx context.Context, m *directory.Machine, from time.Time) ([]api.Event, time.Time, error) {
		page, err := x.from.Reader.Events(ctx, directory.Scope{}, m.MachineID, from, end, eventsAtOnce)
		if err != nil || !page.More {
			return page.Events, time.Time{}, err
		}
		return page.Events, walk.After(page.Events[len(page.Events)-1].Timestamp), nil
	})
}

func (x *Export) sums(ctx context.Context) func() iter.Seq2[dossier.Sum, error] {
	return overAccounts(ctx, x, func(ctx context.Context, m *directory.Machine, from time.Time) ([]dossier.Sum, time.Time, error) {
		return x.from.Dossier.Sums(ctx, m.Key, m.MachineID, from)
	})
}

func (x *Export) uncollected(ctx context.Context) func() iter.Seq2[dossier.Uncollected, error] {
	return overAccounts(ctx, x, func(ctx context.Context, m *directory.Machine, from time.Time) ([]dossier.Uncollected, time.Time, error) {
		return x.from.Dossier.Uncollected(ctx, m.Key, from)
	})
}

func (x *Export) receipts(ctx context.Context) func() iter.Seq2[dossier.Receipt, error] {
	return overAccounts(ctx, x, func(ctx context.Context, m *directory.Machine, _ time.Time) ([]dossier.Receipt, time.Time, error) {
		list, err := x.from.Dossier.Receipts(ctx, m.Key)
		return list, time.Time{}, err
	})
}

func (x *Export) notes(ctx context.Context) func() iter.Seq2[api.Note, error] {
	return func() iter.Seq2[api.Note, error] {
		return pages(ctx, notes.Place{}, func(ctx context.Context, after notes.Place) ([]api.Note, notes.Place, error) {
			return x.from.Notes.OfMachines(ctx, x.keys, after)
		})
	}
}

func (x *Export) policy(ctx context.Context) func() iter.Seq2[dossier.Exclusion, error] {
	return func() iter.Seq2[dossier.Exclusion, error] {
		return pages(ctx, 0, func(ctx context.Context, after int64) ([]dossier.Exclusion, int64, error) {
			return x.from.Dossier.Exclusions(ctx, x.keys, after)
		})
	}
}

func (x *Export) closedMonths(ctx context.Context) func() iter.Seq2[dossier.ClosedDay, error] {
	return func() iter.Seq2[dossier.ClosedDay, error] {
		return pages(ctx, 0, func(ctx context.Context, after int64) ([]dossier.ClosedDay, int64, error) {
			return x.from.Dossier.ClosedDays(ctx, x.person.ID, x.keys, after)
		})
	}
}

// overAccounts goes through the pages of each account from the beginning of time on; a
// page is followed by the one from the returned time on, or by none.
func overAccounts[T any](ctx context.Context, x *Export, page func(context.Context, *directory.Machine, time.Time) ([]T, time.Time, error)) func() iter.Seq2[T, error] {
	begin := time.Date(api.FirstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() iter.Seq2[T, error] {
		return func(yield func(T, error) bool) {
			for i := range x.person.Accounts {
				m := &x.person.Accounts[i]
				for row, err := range pages(ctx, begin, func(ctx context.Context, from time.Time) ([]T, time.Time, error) { return page(ctx, m, from) }) {
					if !yield(row, err) || err != nil {
						return
					}
				}
			}
		}
	}
}

// pages goes through a list from a place to its end; page returns the place of the next,
// the zero value at the end. The first error ends it.
func pages[T any, P comparable](ctx context.Context, at P, page func(context.Context, P) ([]T, P, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var end P
		for {
			rows, next, err := func() ([]T, P, error) {
				ctx, cancel := context.WithTimeout(ctx, pageTimeout)
				defer cancel()
				return page(ctx, at)
			}()
			for _, row := range rows {
				if err == nil && !yield(row, nil) {
					return
				}
			}
			if err != nil {
				var none T
				yield(none, err)
			}
			if err != nil || next == end {
				return
			}
			at = next
		}
	}
}
