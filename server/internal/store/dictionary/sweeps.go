package dictionary

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
)

// sweeps is how often titles had been retired when those that are remembered were looked
// up. A title that is retired goes to no new record, and is deleted once no record has it;
// whoever writes records looks, under the lock of their machines, whether the number is
// still this one.
type sweeps struct {
	mu    sync.Mutex
	known bool
	n     int64
}

// TitleSweeps returns the number with which what refers to titles is to be written that
// are looked up after this.
func (d *Dictionary) TitleSweeps(ctx context.Context) (int64, error) {
	d.sweeps.mu.Lock()
	n, known := d.sweeps.n, d.sweeps.known
	d.sweeps.mu.Unlock()
	if known {
		return n, nil
	}
	err := d.db.Read(ctx, "asking how often titles were retired", func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "SELECT sweeps FROM title_sweep").Scan(&n); err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	d.sweeps.mu.Lock()
	defer d.sweeps.mu.Unlock()
	if !d.sweeps.known {
		// What came in while nothing was known was not remembered.
		d.sweeps.known, d.sweeps.n = true, n
	}
	return d.sweeps.n, nil
}

// ForgetTitles forgets all titles, where the number is still that one: titles were retired
// since.
func (d *Dictionary) ForgetTitles(sweeps int64) {
	d.sweeps.mu.Lock()
	defer d.sweeps.mu.Unlock()
	if d.sweeps.known && d.sweeps.n == sweeps {
		d.titles.Forget()
		d.sweeps.known = false
	}
}

// rememberTitle remembers a title that was looked up at that number.
func (d *Dictionary) rememberTitle(sweeps int64, k titleKey, id uint64) {
	d.sweeps.mu.Lock()
	defer d.sweeps.mu.Unlock()
	if d.sweeps.known && d.sweeps.n == sweeps {
		d.titles.Put(k, id)
	}
}
