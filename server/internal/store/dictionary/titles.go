package dictionary

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sort"
	"time"

	"activity-tracker.example/server/internal/store/partition"
)

// titleKey names a title of a month: a title itself may have 4 KiB.
type titleKey struct {
	// month counts from the year 0.
	month  int32
	digest [TitleDigestBytes]byte
}

// TitleDigestBytes is the length of a title's digest.
const TitleDigestBytes = sha256.Size / 2

func keyOfTitle(month int32, name string) titleKey {
	k := titleKey{month: month}
	full := sha256.Sum256([]byte(name))
	copy(k.digest[:], full[:])
	return k
}

// MonthOf returns the number of the month that a time lies in, in UTC.
func MonthOf(t time.Time) int32 {
	y, m, _ := t.UTC().Date()
	return int32(y*12 + int(m) - 1)
}

// MonthStart returns when the month of that number starts.
func MonthStart(number int32) time.Time {
	return time.Date(int(number)/12, time.Month(number%12)+1, 1, 0, 0, 0, 0, time.UTC)
}

// TitleUse is a title in a month, as an event uses it.
type TitleUse struct {
	Month int32
	Name  string
}

// TitleKey names a row of a title.
type TitleKey struct {
	Month int32
	ID    uint64
}

// TitleIDs fills in the numbers of these titles, after making those that are new.
func (d *Dictionary) TitleIDs(ctx context.Context, ids map[TitleUse]uint64, l *Pending) error {
	sweeps, err := d.TitleSweeps(ctx)
	if err != nil {
		return err
	}
	missing := make(map[titleKey]TitleUse)
	var order []titleKey
	for use := range ids {
		k := keyOfTitle(use.Month, use.Name)
		if id, ok := d.titles.Get(k); ok {
			ids[use] = id
			continue
		}
		missing[k] = use
		order = append(order, k)
	}
	if len(missing) == 0 {
		return nil
	}
	sort.Slice(order, func(i, j int) bool {
		a, b := &order[i], &order[j]
		return a.month < b.month || a.month == b.month && bytes.Compare(a.digest[:], b.digest[:]) < 0
	})
	var months []time.Time
	var digests [][]byte
	var names []string
	for i := range order {
		k := &order[i]
		if i == 0 || order[i-1].month != k.month {
			if err := d.partitions.Ensure(ctx, partition.Titles(), MonthStart(k.month)); err != nil {
				return err
			}
		}
		months, digests, names = append(months, MonthStart(k.month)), append(digests, k.digest[:]), append(names, missing[*k].Name)
	}
	var month time.Time
	var digest []byte
	var id int64
	return d.writeAhead(ctx, "adding titles", statement{`
		INSERT INTO title (month, digest, name) SELECT n.month, n.digest, n.name
		FROM unnest($1::date[], $2::bytea[], $3::text[]) AS n(month, digest, name)
		WHERE NOT EXISTS (SELECT FROM title t WHERE t.month = n.month AND t.digest = n.digest)
		ORDER BY n.month, n.digest ON CONFLICT (month, digest) DO NOTHING`, []any{months, digests, names}},
		statement{`SELECT t.month, t.digest, t.id FROM unnest($1::date[], $2::bytea[]) AS n(month, digest)
			JOIN title t ON t.month = n.month AND t.digest = n.digest`, []any{months, digests}},
		[]any{&month, &digest, &id}, func() {
			k := titleKey{month: MonthOf(month)}
			copy(k.digest[:], digest)
			id := uint64(id)
			ids[missing[k]] = id
			l.add(func() { d.rememberTitle(sweeps, k, id) })
		})
}
