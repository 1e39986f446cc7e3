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

// List answers who looked and who changed what.
type List struct {
	log       *access.Log
	changes   *audit.Log
	directory *directory.Directory
}

// NewList returns the answers of both logs.
func NewList(log *access.Log, changes *audit.Log, dir *directory.Directory) *List {
	return &List{log, changes, dir}
}

// Access returns a page of who looked at a machine's data, the newest first. Only
// administrators and auditors ask, who may know of all machines: an auditor's scope is
// that of activity.
func (l *List) Access(ctx context.Context, _ directory.Scope, q Question) (api.AccessList, error) {
	q.Limit = cmp.Or(q.Limit, pageDefault)
	list := api.AccessList{MachineID: string(q.MachineID), Access: []api.Access{}}
	entries, err := l.entries(ctx, q, q.Limit+1)
	if err != nil {
		return list, err
	}
	if len(entries) > q.Limit {
		entries = entries[:q.Limit]
		list.NextCursor = cursorAfter(entries[q.Limit-1].ID)
	}
	for i := range entries {
		list.Access = append(list.Access, told(&entries[i]))
	}
	return list, nil
}

// Each returns all of them from the page's beginning on. The first error ends it.
func (l *List) Each(ctx context.Context, _ directory.Scope, q Question) iter.Seq2[api.Access, error] {
	return pages(ctx, q.before, func(ctx context.Context, before int64) ([]access.Entry, error) {
		q.before = before
		return l.entries(ctx, q, pageMax)
	}, func(e *access.Entry) (int64, api.Access) { return e.ID, told(e) })
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

func (l *List) entries(ctx context.Context, q Question, limit int) ([]access.Entry, error) {
	m, err := l.directory.MachineByID(ctx, directory.Scope{}, string(q.MachineID))
	if err != nil {
		return nil, err
	}
	return l.log.Of(ctx, []int32{m.Key}, q.before, limit)
}

// told returns an entry as the API shows one.
func told(e *access.Entry) api.Access {
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
