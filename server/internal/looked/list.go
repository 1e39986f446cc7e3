package looked

import (
	"cmp"
	"context"
	"encoding/base64"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
)

const (
	// pageDefault and pageMax bound a page.
	pageDefault = 100
	pageMax     = 1000
	// pageTimeout bounds getting one page of a list that is streamed.
	pageTimeout = 10 * time.Second
	// cursorKind is the letter that such cursors begin with.
	cursorKind = "l"
)

// Question asks who looked at a machine's data.
type Question struct {
	Page
	MachineID report.MachineID
}

// PersonQuestion asks who looked at a person's data.
type PersonQuestion struct {
	Page
	Person report.PersonID
	// Within is which of the person's accounts are asked about. It is not the caller's
	// scope, which is that of activity: an auditor may see none.
	Within directory.Scope
}

// Page is a part of a list without further questions.
type Page struct {
	// Limit is how many entries at most; 0 where the caller has no wish.
	Limit  int
	before int64
}

// ParsePage reads limit and cursor.
func ParsePage(limit, cursor string) (p Page, err error) {
	p.before = math.MaxInt64
	if limit != "" {
		if p.Limit, err = strconv.Atoi(limit); err != nil || p.Limit < 1 || p.Limit > pageMax {
			return p, report.InvalidError("limit: want 1 to " + strconv.Itoa(pageMax))
		}
	}
	if cursor != "" {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		position, ok := strings.CutPrefix(string(raw), cursorKind)
		p.before, _ = strconv.ParseInt(position, 10, 64)
		if err != nil || !ok || p.before < 1 {
			return p, report.InvalidError("cursor: not one that this list gave")
		}
	}
	return p, nil
}

// cursorAfter returns the cursor of the page after that entry.
func cursorAfter(entry int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorKind + strconv.FormatInt(entry, 10)))
}

// ParseQuestion reads a question as it stands in a URL.
func ParseQuestion(machineID, limit, cursor string) (q Question, err error) {
	if q.Page, err = ParsePage(limit, cursor); err != nil {
		return q, err
	}
	q.MachineID, err = report.ParseMachineID(machineID)
	return q, err
}

// ParsePersonQuestion reads a question as it stands in a URL.
func ParsePersonQuestion(person, limit, cursor string) (q PersonQuestion, err error) {
	if q.Page, err = ParsePage(limit, cursor); err != nil {
		return q, err
	}
	q.Person, err = report.ParsePersonID(person)
	return q, err
}

// List answers who looked and who changed what.
type List struct {
	log       *access.Log
	changes   *audit.Log
	directory *directory.Directory
	people    *people.People
}

// NewList returns the answers of both logs.
func NewList(log *access.Log, changes *audit.Log, dir *directory.Directory, p *people.People) *List {
	return &List{log, changes, dir, p}
}

// Access returns a page of who looked at a machine's data, the newest first. Only
// administrators and auditors ask, who may know of all machines: an auditor's scope is
// that of activity.
func (l *List) Access(ctx context.Context, _ directory.Scope, q Question) (api.AccessList, error) {
	access, next, err := l.page(ctx, q.Page, l.machine(q.MachineID))
	return api.AccessList{MachineID: string(q.MachineID), Access: access, NextCursor: next}, err
}

// Each returns all of them from the page's beginning on. The first error ends it.
func (l *List) Each(ctx context.Context, _ directory.Scope, q Question) iter.Seq2[api.Access, error] {
	return l.each(ctx, q.Page, l.machine(q.MachineID))
}

// PersonAccess is Access for all accounts that are a person's now.
func (l *List) PersonAccess(ctx context.Context, _ directory.Scope, q PersonQuestion) (api.PersonAccessList, error) {
	access, next, err := l.page(ctx, q.Page, l.accounts(q))
	return api.PersonAccessList{Person: q.Person.String(), Access: access, NextCursor: next}, err
}

// EachOfPerson is Each for all accounts that are a person's now.
func (l *List) EachOfPerson(ctx context.Context, _ directory.Scope, q PersonQuestion) iter.Seq2[api.Access, error] {
	return l.each(ctx, q.Page, l.accounts(q))
}

// subject looks up the rows of the machines that a question is about.
type subject func(context.Context) ([]int32, error)

func (l *List) machine(id report.MachineID) subject {
	return func(ctx context.Context) ([]int32, error) {
		m, err := l.directory.MachineByID(ctx, directory.Scope{}, string(id))
		return []int32{m.Key}, err
	}
}

func (l *List) accounts(q PersonQuestion) subject {
	return func(ctx context.Context) ([]int32, error) {
		p, err := l.people.ByID(ctx, q.Within, int64(q.Person))
		keys := make([]int32, len(p.Accounts))
		for i := range p.Accounts {
			keys[i] = p.Accounts[i].Key
		}
		return keys, err
	}
}

// page returns a page, and the cursor of the next.
func (l *List) page(ctx context.Context, p Page, of subject) (list []api.Access, next string, err error) {
	p.Limit = cmp.Or(p.Limit, pageDefault)
	entries, err := l.entries(ctx, of, p.before, p.Limit+1)
	if len(entries) > p.Limit {
		entries = entries[:p.Limit]
		next = cursorAfter(entries[p.Limit-1].ID)
	}
	list = []api.Access{}
	for i := range entries {
		list = append(list, shown(&entries[i]))
	}
	return list, next, err
}

// each returns all entries from the page's beginning on.
func (l *List) each(ctx context.Context, p Page, of subject) iter.Seq2[api.Access, error] {
	return pages(ctx, p.before, func(ctx context.Context, before int64) ([]access.Entry, error) {
		return l.entries(ctx, of, before, pageMax)
	}, func(e *access.Entry) (int64, api.Access) { return e.ID, shown(e) })
}

// OfMachines returns all who looked at any of these machines, by their rows, the newest
// first. The first error ends it.
func (l *List) OfMachines(ctx context.Context, keys []int32) iter.Seq2[api.Access, error] {
	return pages(ctx, math.MaxInt64, func(ctx context.Context, before int64) ([]access.Entry, error) {
		return l.log.Of(ctx, keys, before, pageMax)
	}, func(e *access.Entry) (int64, api.Access) { return e.ID, shown(e) })
}

// pages goes through a list from an entry to its end, page by page; tell returns an
// entry's number, and the entry as the API shows it.
func pages[E, T any](ctx context.Context, before int64, page func(context.Context, int64) ([]E, error), tell func(*E) (int64, T)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			entries, err := func() ([]E, error) {
				ctx, cancel := context.WithTimeout(ctx, pageTimeout)
				defer cancel()
				return page(ctx, before)
			}()
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for i := range entries {
				var row T
				if before, row = tell(&entries[i]); !yield(row, nil) {
					return
				}
			}
			if len(entries) < pageMax {
				return
			}
		}
	}
}

func (l *List) entries(ctx context.Context, of subject, before int64, limit int) ([]access.Entry, error) {
	machines, err := of(ctx)
	if err != nil {
		return nil, err
	}
	return l.log.Of(ctx, machines, before, limit)
}

// shown returns an entry as the API shows one.
func shown(e *access.Entry) api.Access {
	return api.Access{
		ReaderKind: e.Kind, ReaderID: e.Reader.ID, ReaderName: e.Name, What: e.What, From: inUTC(e.From), To: inUTC(e.To),
		Machines: int64(e.Machines), FirstAt: e.FirstAt.UTC(), LastAt: e.LastAt.UTC(),
	}
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}
