package events_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/storetest"
)

// What a group of requests costs store and PostgreSQL in processor time, without HTTP
// and without waiting for the disk.
func BenchmarkWriteEvents(b *testing.B) {
	for _, size := range []struct{ requests, events int }{{8, 5}, {4, 1000}} {
		b.Run(fmt.Sprintf("%dx%d", size.requests, size.events), func(b *testing.B) {
			now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
			url := storetest.NewDatabase(b)
			s, err := rooms.Open(b.Context(), url, storetest.Options{Now: func() time.Time { return now.AddDate(0, 1, 0) }, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if err := s.Migrate(b.Context()); err != nil {
				b.Fatal(err)
			}
			host := storetest.AddHost(b, s)
			var backend int
			if err := storetest.Connect(b, url).QueryRow(b.Context(), "SELECT pg_backend_pid()").Scan(&backend); err != nil {
				b.Fatal(err)
			}
			postmaster, _ := processTime(backend)
			next := 0
			groups := make([][]storetest.Batch, b.N+1)
			for g := range groups {
				groups[g] = make([]storetest.Batch, size.requests)
				for i := range groups[g] {
					batch := storetest.Batch{Host: host, Credential: "cred"}
					for ; len(batch.Events) < size.events; next++ {
						batch.Events = append(batch.Events, fiveMinutes(now, next)...)
					}
					groups[g][i] = batch
				}
			}
			write := func(groups [][]storetest.Batch) {
				for _, batches := range groups {
					if _, err := s.WriteBatches(b.Context(), batches); err != nil {
						b.Fatal(err)
					}
				}
			}
			// The first makes partitions, names and plans.
			write(groups[:1])
			ownBefore, postgresBefore := timesOf(b, postmaster)
			write(groups[1:])
			own, postgres := timesOf(b, postmaster)
			own, postgres = own-ownBefore, postgres-postgresBefore
			events := float64(b.N * size.requests * size.events)
			b.ReportMetric(float64(own.Microseconds())/events, "own-µs/event")
			b.ReportMetric(float64(postgres.Microseconds())/events, "postgres-µs/event")
		})
	}
}

// fiveMinutes are the next five minutes of one of some machines by turns.
func fiveMinutes(now time.Time, next int) []api.Event {
	const minutes, machines = 5, 320
	list := make([]api.Event, minutes)
	for j := range list {
		active, rest := 30.5, 12.25
		app, title := fmt.Sprint("app-", next%12), fmt.Sprint("Document ", next%200, " of a host - Writer")
		list[j] = api.Event{
			MachineID: fmt.Sprint("vm-123456-user", next%machines), Timestamp: now.Add(time.Duration(next/machines*minutes+j) * time.Minute),
			KeyCount: 5, MouseClicks: 7, ActiveApp: app, ActiveWindow: title, ActiveSeconds: &active,
			Focus: []api.Focus{{App: app, Title: title, Seconds: 40.5, ActiveSeconds: &rest}, {App: "other", Title: "Inbox", Seconds: 15}},
		}
	}
	return list
}

// timesOf are the processor times of this process and of PostgreSQL.
func timesOf(b *testing.B, postmaster int) (own, postgres time.Duration) {
	b.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	_, own = processTime(os.Getpid())
	for _, stat := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil {
			continue
		}
		if parent, used := processTime(pid); pid == postmaster || parent == postmaster {
			postgres += used
		}
	}
	return own, postgres
}

// processTime returns zeros for a process that is gone.
func processTime(pid int) (parent int, used time.Duration) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// The name is in brackets and may hold anything. Then come the state and the
	// parent; user and system time stand further on, in hundredths of a second.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	parent, _ = strconv.Atoi(fields[1])
	for _, field := range fields[11:15] {
		n, _ := strconv.Atoi(field)
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return parent, used
}
