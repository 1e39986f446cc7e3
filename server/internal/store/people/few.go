package people

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
)

// whoseAtOnce is how many accounts one query asks about whose they are.
const whoseAtOnce = 1000

// SeeFew notes that an answer is about these accounts, where a sum of them is of few
// people: five accounts of one person hide nobody.
func (p *People) SeeFew(ctx context.Context, machines []int32) error {
	people := map[int64]bool{}
	if len(machines) >= access.Anonymous {
		for some := range slices.Chunk(machines, whoseAtOnce) {
			if err := p.addWhose(ctx, people, some); err != nil {
				return err
			}
			if len(people) >= access.Anonymous {
				return nil
			}
		}
	}
	access.See(ctx, machines...)
	return nil
}

// addWhose adds the people who have some accounts.
func (p *People) addWhose(ctx context.Context, people map[int64]bool, machines []int32) error {
	return p.db.Report(ctx, "looking up whose accounts are", func(tx pgx.Tx) error {
		list, err := db.Collect[struct{ Person int64 }](ctx, tx, "reading", "SELECT DISTINCT person FROM account WHERE machine = ANY($1)", machines)
		for _, one := range list {
			people[one.Person] = true
		}
		return err
	})
}
