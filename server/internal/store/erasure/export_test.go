package erasure

import (
	"context"
	"errors"
)

// Settle is for how long after an erasure it is looked once more.
const Settle = settle

// Step deletes some of one account.
func (e *Erasures) Step(ctx context.Context) (more bool, err error) { return e.step(ctx) }

// Slowly bounds what one transaction deletes, so that there are many.
func (e *Erasures) Slowly() { e.atOnce = limits{rows: 7, hours: 3, looks: 1} }

// Busy reports whether an error means that others hold what was to be locked.
func Busy(err error) bool { return errors.Is(err, errBusy) }
