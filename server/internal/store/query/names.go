package query

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/dictionary"
)

// names are the texts that refs stand for.
type names struct {
	apps, titles map[uint64]string
}

// lookUp reads the names of what events of these months refer to. A title that
// was forgotten is empty.
func lookUp(ctx context.Context, tx pgx.Tx, months map[int32]struct{}, list []codec.Refs) (names, error) {
	n := names{apps: map[uint64]string{}, titles: map[uint64]string{}}
	note := func(r codec.Ref) {
		n.apps[r.App], n.titles[r.Title] = "", ""
	}
	for i := range list {
		note(list[i].Active)
		for _, r := range list[i].Focus {
			note(r)
		}
	}
	if err := fillNames(ctx, tx, n.apps, appNamesSQL); err != nil {
		return n, fmt.Errorf("reading applications: %w", err)
	}
	starts := make([]time.Time, 0, len(months))
	for m := range months {
		starts = append(starts, dictionary.MonthStart(m))
	}
	if err := fillNames(ctx, tx, n.titles, titleNamesSQL, starts); err != nil {
		return n, fmt.Errorf("reading titles: %w", err)
	}
	return n, nil
}

// The second asks for titles of some months, so that no others are read.
const (
	appNamesSQL   = "SELECT id, name FROM app WHERE id = ANY($1)"
	titleNamesSQL = "SELECT id, name FROM title WHERE id = ANY($1) AND month = ANY($2::date[])"
)

func fillNames(ctx context.Context, tx pgx.Tx, texts map[uint64]string, sql string, more ...any) error {
	ids := make([]int64, 0, len(texts))
	for id := range texts {
		if id != 0 {
			ids = append(ids, int64(id))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, sql, append([]any{ids}, more...)...)
	if err != nil {
		return err
	}
	var id int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		texts[uint64(id)] = name
		return nil
	})
	return err
}
