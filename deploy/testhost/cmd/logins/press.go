package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// key is which one is pressed: "a" on every usual keyboard.
const key = 38

// kinds is in how many ways sessions differ: the first has the fewest presses, the
// next one more, and after so many it begins again. So it shows whose presses
// count for somebody else.
const kinds = 10

// press presses keys in all sessions side by side.
func press(ctx context.Context, o options) error {
	failed := make(chan error, o.sessions)
	var wg sync.WaitGroup
	for i := range o.sessions {
		wg.Go(func() {
			if err := pressOn(ctx, fmt.Sprintf(":%d", o.display+i), o.presses+i%kinds, o.every); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

func pressOn(ctx context.Context, display string, presses int, every time.Duration) error {
	conn, err := xgb.NewConnDisplay(display)
	if err != nil {
		return fmt.Errorf("open %s: %w", display, err)
	}
	defer conn.Close()
	if err := xtest.Init(conn); err != nil {
		return fmt.Errorf("use XTEST on %s: %w", display, err)
	}
	root := xproto.Setup(conn).DefaultScreen(conn).Root
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range presses {
		for _, kind := range []byte{xproto.KeyPress, xproto.KeyRelease} {
			if err := xtest.FakeInputChecked(conn, kind, key, 0, root, 0, 0, 0).Check(); err != nil {
				return fmt.Errorf("press a key on %s: %w", display, err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
