package db

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestProgress(t *testing.T) {
	start := time.Now()
	var p progress
	var clock time.Time
	step := func(second int, primary, standby int64, lag time.Duration, caught bool) {
		t.Helper()
		clock = start.Add(time.Duration(second) * time.Second)
		if primary >= 0 {
			p.mark(clock, primary)
		}
		if l, c := p.behind(clock, standby); l != lag || c != caught {
			t.Errorf("second %d: %v behind, caught up %v; want %v, %v", second, l, c, lag, caught)
		}
	}
	step(0, 100, 50, 0, false)
	step(1, 200, 100, time.Second, true)
	step(2, 200, 200, 0, true)
	// Nothing is written for an hour.
	step(3600, 200, 200, 0, true)
	step(3610, 300, 200, 10*time.Second, true)
	step(3611, 400, 299, 11*time.Second, true)
	step(3612, 500, 300, 2*time.Second, true)
	// The primary does not answer.
	step(3620, -1, 500, 8*time.Second, true)
	// It was restored from an older backup.
	step(3621, 250, 240, 0, false)
	for i := range 3 * replicaMarks {
		p.mark(start.Add(time.Duration(i)*time.Second), int64(1000+i))
	}
	if len(p) > replicaMarks {
		t.Errorf("%d marks", len(p))
	}
}

func TestLost(t *testing.T) {
	for code, want := range map[string]bool{
		"40001": false, "40P01": false, "57014": false, "42P01": false, "": false,
		"57P01": true, "57P03": true, "53300": true, "08006": true,
	} {
		if lost(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code})) != want {
			t.Errorf("code %s", code)
		}
	}
	if !lost(context.DeadlineExceeded) {
		t.Error("a broken connection")
	}
}
