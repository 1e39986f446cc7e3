package events_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/storetest"
)

// What a group of 16 requests of 5 events costs store and PostgreSQL, without HTTP
// and without waiting for the disk.
func BenchmarkWriteEvents(b *testing.B) {
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	s, err := rooms.Open(b.Context(), storetest.NewDatabase(b), storetest.Options{Now: func() time.Time { return now.AddDate(0, 1, 0) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	host := storetest.AddHost(b, s)
	const requests, minutes, machines = 16, 5, 320
	next := 0
	group := func() []storetest.Batch {
		batches := make([]storetest.Batch, requests)
		for i := range batches {
			batches[i] = storetest.Batch{Host: host, Credential: "cred", Events: make([]api.Event, minutes)}
			for j := range batches[i].Events {
				active := 30.5
				app := fmt.Sprint("app-", next%12)
				batches[i].Events[j] = api.Event{
					MachineID: fmt.Sprint("m", next%machines), Timestamp: now.Add(time.Duration(next/machines*minutes+j) * time.Minute),
					KeyCount: 5, MouseClicks: 7, ActiveApp: app, ActiveWindow: fmt.Sprint("Document ", next%200), ActiveSeconds: &active,
					Focus: []api.Focus{{App: app, Title: "t", Seconds: 40}, {App: "other", Title: "u", Seconds: 20}},
				}
			}
			next++
		}
		return batches
	}
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		batches := group()
		b.StartTimer()
		if _, err := s.WriteBatches(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*requests*minutes), "µs/event")
}
