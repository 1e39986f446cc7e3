package months

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

// saltBytes is how many random bytes go into each digest: without them nobody finds by trying
// what somebody did who was erased.
const saltBytes = 16

// Person is what a closing has of one person, column by column: each list has a place for
// each of the month's dates.
type Person struct {
	Person    int64
	Label     string
	Machines  []int32
	Partial   bool
	Estimated bool
	// The others are as in query.Figures.
	First, Last                                                              []*time.Time
	ActiveMS, NoInputMS, LockedMS, DisconnectedMS, NotCollectedMS, UnknownMS []int32
	Salt                                                                     []byte
}

// set sets the figures.
func (p *Person) set(spans []query.Figures) {
	for i := range spans {
		f := &spans[i]
		p.First, p.Last = append(p.First, f.First), append(p.Last, f.Last)
		p.ActiveMS, p.NoInputMS = append(p.ActiveMS, int32(f.ActiveMS)), append(p.NoInputMS, int32(f.NoInputMS))
		p.LockedMS, p.DisconnectedMS = append(p.LockedMS, int32(f.LockedMS)), append(p.DisconnectedMS, int32(f.DisconnectedMS))
		p.NotCollectedMS, p.UnknownMS = append(p.NotCollectedMS, int32(f.NotCollectedMS)), append(p.UnknownMS, int32(f.UnknownMS))
	}
}

// Day returns the figures of one of the month's dates, and whether there are any: somebody may
// have changed the lists by hand.
func (p *Person) Day(i int) (f query.Figures, ok bool) {
	if i >= p.days() {
		return f, false
	}
	return query.Figures{
		First: p.First[i], Last: p.Last[i], ActiveMS: int64(p.ActiveMS[i]), NoInputMS: int64(p.NoInputMS[i]), LockedMS: int64(p.LockedMS[i]),
		DisconnectedMS: int64(p.DisconnectedMS[i]), NotCollectedMS: int64(p.NotCollectedMS[i]), UnknownMS: int64(p.UnknownMS[i]),
	}, true
}

// days is how many dates all of its lists have.
func (p *Person) days() int {
	n := min(len(p.First), len(p.Last))
	for _, list := range [][]int32{p.ActiveMS, p.NoInputMS, p.LockedMS, p.DisconnectedMS, p.NotCollectedMS, p.UnknownMS} {
		n = min(n, len(list))
	}
	return n
}

// seal makes the salt and returns the digest.
func (p *Person) seal(first time.Time, c Calendar) []byte {
	p.Salt = make([]byte, saltBytes)
	_, _ = rand.Read(p.Salt) // it ends the program rather than fail
	return p.digest(first, c)
}

// digest is the SHA-256 of the salt and all else as JSON.
func (p *Person) digest(first time.Time, c Calendar) []byte {
	salted := *p
	salted.Salt, salted.First, salted.Last = nil, inUTC(p.First), inUTC(p.Last)
	// Numbers, texts and times of four digits of years can be written.
	text, _ := json.Marshal(struct {
		Month, TZ string
		Dates     []time.Time
		Bounds    []time.Time
		Person
	}{first.Format(time.DateOnly), c.Zone, allInUTC(c.Dates), allInUTC(c.Bounds), salted})
	sum := sha256.Sum256(append(slices.Clip(p.Salt), text...))
	return sum[:]
}

func inUTC(list []*time.Time) []*time.Time {
	utc := make([]*time.Time, len(list))
	for i, t := range list {
		if t != nil {
			at := t.UTC()
			utc[i] = &at
		}
	}
	return utc
}

func allInUTC(list []time.Time) []time.Time {
	utc := make([]time.Time, len(list))
	for i, t := range list {
		utc[i] = t.UTC()
	}
	return utc
}

const personColumns = "person, label, machines, partial, estimated, first_at, last_at, active_ms, no_input_ms, locked_ms, disconnected_ms, not_collected_ms, unknown_ms, salt"

// queue queues what keeps it.
func (p *Person) queue(batch *pgx.Batch, month int64) {
	batch.Queue("INSERT INTO month_person (month, "+personColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)", month,
		p.Person, p.Label, p.Machines, p.Partial, p.Estimated, p.First, p.Last, p.ActiveMS, p.NoInputMS, p.LockedMS, p.DisconnectedMS, p.NotCollectedMS, p.UnknownMS, p.Salt)
}

// Page is some people of a closing.
type Page struct {
	Closing
	Calendar

	People []Person
	// Now are the people's figures as they are now; nil: not all is kept any more.
	Now []query.PersonFigures
	// Intact means that these people's figures are those that were kept.
	Intact bool
	// More means that others follow.
	More bool
}

// Page returns the people of a closing in scope after that one, at most so many, or ErrNone or
// directory.ErrNoGroup. They are those of then, whoever is in the group now.
func (m *Months) Page(ctx context.Context, scope directory.Scope, o Of, after int64, limit int) (Page, error) {
	var page Page
	err := m.db.Read(ctx, "reading a closed month", func(tx pgx.Tx) (err error) {
		if page.Closing, err = o.find(ctx, tx, scope); err != nil {
			return err
		}
		var digests []byte
		page.Calendar = Calendar{Zone: page.TZ}
		err = tx.QueryRow(ctx, "SELECT dates, bounds, digests FROM month WHERE id = $1", page.ID).Scan(&page.Dates, &page.Bounds, &digests)
		if err != nil {
			return fmt.Errorf("reading its days: %w", err)
		}
		page.People, err = db.Collect[Person](ctx, tx, "reading figures", "SELECT "+personColumns+" FROM month_person WHERE month = $1 AND person > $2 ORDER BY person LIMIT $3",
			page.ID, after, limit+1)
		if page.More = len(page.People) > limit; page.More {
			page.People = page.People[:limit]
		}
		page.Intact = page.intact(digests)
		return err
	})
	if err != nil || len(page.People) == 0 || len(page.Dates) == 0 {
		return page, err
	}
	accounts := make([][]int32, len(page.People))
	for i := range page.People {
		accounts[i] = page.People[i].Machines
		access.See(ctx, accounts[i]...)
	}
	now, kept, err := m.reader.FiguresNow(ctx, accounts, page.Bounds)
	if kept {
		page.Now = now
	}
	return page, err
}

// intact reports whether people's figures are those that were kept, by the digests of all. It
// cuts off what has no place in them.
func (p *Page) intact(digests []byte) bool {
	known := map[string]bool{}
	for d := range slices.Chunk(digests, sha256.Size) {
		known[string(d)] = true
	}
	all := sha256.Sum256(digests)
	good := bytes.Equal(all[:], p.Digest)
	p.Dates = p.Dates[:max(0, min(len(p.Dates), len(p.Bounds)-1))]
	for i := range p.People {
		one := &p.People[i]
		good = good && one.days() == len(p.Dates) && known[string(one.digest(p.First, p.Calendar))]
	}
	return good
}

// Changed reports whether a person's figures of one of the dates are others now; nil: nobody
// knows.
func (p *Page) Changed(person, day int) *bool {
	if p.Now == nil || p.Now[person].Estimated && !p.People[person].Estimated {
		return nil
	}
	then, ok := p.People[person].Day(day)
	if !ok || day >= len(p.Now[person].Spans) {
		return nil
	}
	now := p.Now[person].Spans[day]
	same := equal(then.First, now.First) && equal(then.Last, now.Last)
	then.First, then.Last, now.First, now.Last = nil, nil, nil, nil
	changed := !same || then != now
	return &changed
}

func equal(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// Erase erases people's figures in which accounts have a part, and returns of how many months
// that is. Nothing else is changed.
func Erase(ctx context.Context, tx pgx.Tx, machines []int32) (int64, error) {
	return db.Exec(ctx, tx, "deleting figures of closed months", "DELETE FROM month_person WHERE machines && $1::int[]", machines)
}
