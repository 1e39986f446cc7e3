package app_test

import (
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
)

// Many servers start at once on an empty database: one token is made, and works.
func TestFirstTokenOnce(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b := servertest.New(t, databaseURL)
	var log servertest.Log
	logger := slog.New(slog.NewTextHandler(&log, nil))
	var servers sync.WaitGroup
	for range 8 {
		other, err := rooms.Open(t.Context(), databaseURL, rooms.Options{Log: logger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(other.Close)
		servers.Go(func() {
			if err := other.Migrate(t.Context()); err != nil {
				t.Error(err)
				return
			}
			app.AnnounceFirstToken(t.Context(), other, logger)
		})
	}
	servers.Wait()
	found := regexp.MustCompile(`token=(tok_\S+)`).FindAllStringSubmatch(log.String(), -1)
	tokens, err := b.Store.Tokens(t.Context())
	if err != nil || len(tokens) != 1 || len(found) != 1 || !strings.Contains(log.String(), "only this once") {
		t.Fatalf("%d tokens, %v, log: %s", len(tokens), err, log.String())
	}
	b.Do(http.MethodGet, "/api/machines", found[0][1], nil).Wants(200, nil)
	if tokens[0].Role != directory.RoleAdmin {
		t.Errorf("%+v", tokens[0])
	}
	// Never again, while there is any.
	app.AnnounceFirstToken(t.Context(), b.Store, logger)
	if n := strings.Count(log.String(), "token="); n != 1 {
		t.Errorf("%d tokens in the log", n)
	}
}

// A log of errors alone shows the token as well: nobody could ever learn it.
func TestFirstTokenIsShownAtEveryLevel(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	var log servertest.Log
	app.AnnounceFirstToken(t.Context(), b.Store, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})))
	if !strings.Contains(log.String(), "token=tok_") {
		t.Errorf("log: %s", log.String())
	}
}
