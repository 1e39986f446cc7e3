// Package preview answers what rules that are not written yet would do to what was recorded
// in the last week: rules for titles, and categories.
package preview

import (
	"context"
	"errors"
	"time"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

const (
	// span is what is looked at: a week has every kind of day.
	span = 7 * 24 * time.Hour
	// timeout bounds a preview; what was looked at until then is answered.
	timeout = 10 * time.Second
	// machinesAtOnce is how many are read in one transaction, and are lost where the time
	// is over.
	machinesAtOnce = 20
	// maxRows bounds each list of an answer.
	maxRows = 200
)

// Previews answers from one store.
type Previews struct {
	reader    *query.Reader
	directory *directory.Directory
	now       func() time.Time
	timeout   time.Duration
}

// New makes the previews; now is the server's clock.
func New(reader *query.Reader, dir *directory.Directory, now func() time.Time) *Previews {
	return &Previews{reader: reader, directory: dir, now: now, timeout: timeout}
}

// period is the week before now, in whole hours as sums are kept.
func (p *Previews) period() (from, to time.Time) {
	to = p.now().UTC().Truncate(time.Hour).Add(time.Hour)
	return to.Add(-span), to
}

// walked is what was looked at.
type walked struct {
	from, to time.Time
	machines int64
	cut      bool
}

// walk has each page of machines in scope summed up by classes, until all are, the time is
// over or page wants no more. What classes learned of a page that page was not called for
// must be forgotten.
func (p *Previews) walk(ctx context.Context, scope directory.Scope, classes query.Classes, page func([]query.MachineUse) (more bool)) (w walked, err error) {
	w.from, w.to = p.period()
	bounded, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	f := directory.MachineFilter{Scope: scope, Limit: machinesAtOnce}
	for {
		list, more, err := p.reader.AppUse(bounded, f, w.from, w.to, classes)
		if err != nil {
			w.cut = errors.Is(bounded.Err(), context.DeadlineExceeded) && ctx.Err() == nil
			if w.cut {
				err = nil
			}
			return w, err
		}
		for i := range list {
			access.See(ctx, list[i].Key)
			f.After = list[i].MachineID
		}
		w.machines += int64(len(list))
		if !page(list) {
			w.cut = true
			return w, nil
		}
		if !more && len(list) < f.Limit {
			return w, nil
		}
	}
}

// focus is for how long a use was in front, in milliseconds.
func focus(u *query.Use) int64 { return u.Active + u.Open }

func seconds(ms int64) int64 { return (ms + 500) / 1000 }
