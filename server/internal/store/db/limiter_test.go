package db_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/storetest"
)

// However many reports are asked for at once, short questions are answered, and
// however many questions, events are taken in.
func TestQuestionsLeaveRoom(t *testing.T) {
	const connections = 8
	s, err := rooms.Open(t.Context(), storetest.NewDatabase(t)+"&pool_max_conns=8", storetest.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := storetest.AddHost(t, s)
	var wait sync.WaitGroup
	ends := make(chan struct{})
	var at atomic.Int64
	hold := func(pgx.Tx) error { at.Add(1); <-ends; return nil }
	ask := func(how func(context.Context, string, func(pgx.Tx) error, ...db.Begin) error) {
		for range 3 * connections {
			wait.Go(func() {
				if err := how(t.Context(), "asking", hold); err != nil {
					t.Error(err)
				}
			})
		}
	}
	await := func(n int64) {
		t.Helper()
		pgtest.Await(t, fmt.Sprintf("%d to be at work", n), func() bool { return at.Load() == n })
	}
	soon := func(what string, do func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := do(ctx); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	ask(s.Summary)
	await(connections / db.SummariesPart)
	soon("a short question", func(ctx context.Context) error {
		_, err := s.Machines(ctx, directory.MachineFilter{Limit: 1})
		return err
	})
	ask(s.Report)
	await(connections / db.QuestionsPart)
	soon("events", func(ctx context.Context) error {
		_, err := s.WriteEvents(ctx, storetest.Batch{Host: host, Events: []api.Event{{MachineID: "m", Timestamp: time.Now()}}})
		return err
	})
	soon("whether the database answers", s.Ready)
	gone, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer leave()
	if err := s.Report(gone, "asking", hold); !errors.Is(err, db.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more: %v", err)
	}
	close(ends)
	wait.Wait()
}
