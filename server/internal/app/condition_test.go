package app_test

import (
	"context"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/rooms"
)

// The status line and the log follow the database, each change once.
func TestStatusFollowsTheDatabase(t *testing.T) {
	m, cluster := servertest.StartManager(t), pgtest.Start(t)
	cluster.Stop(syscall.SIGINT)
	st, err := rooms.Open(t.Context(), cluster.URL("postgres"), rooms.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var log servertest.Log
	told := slog.New(slog.NewTextHandler(&log, nil))
	c := app.NewCondition(config.Config{Database: config.Database{URL: cluster.URL("postgres")}}, st, "here", 10*time.Millisecond, told)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(ctx) }()
	m.Says(t, "waiting for the database", "systemctl start postgresql")
	cluster.Start()
	m.Says(t, "answering on here", "")
	for range 2 {
		cluster.Stop(syscall.SIGINT)
		m.Says(t, "answering 503 on here", "systemctl start postgresql")
		cluster.Start()
		m.Says(t, "answering on here", "")
	}
	// Told to stop, it leaves the line to the stop.
	c.Leave()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	stop()
	for words, want := range map[string]int{"waiting for the database": 1, "does not answer": 2, "answers again": 2} {
		if got := strings.Count(log.String(), words); got != want {
			t.Errorf("%q stands %d times in the log:\n%s", words, got, log.String())
		}
	}
}
