package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
)

// lockedBuffer is a log that many write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// Many servers start at once on an empty database: one token is made, and works.
func TestFirstTokenOnce(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b := servertest.New(t, databaseURL)
	var log lockedBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	var servers sync.WaitGroup
	for range 8 {
		other, err := store.Open(t.Context(), databaseURL, store.Options{Log: logger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(other.Close)
		servers.Go(func() {
			if err := other.Migrate(t.Context()); err != nil {
				t.Error(err)
				return
			}
			announceFirstToken(t.Context(), other, logger)
		})
	}
	servers.Wait()
	found := regexp.MustCompile(`token=(tok_\S+)`).FindAllStringSubmatch(log.b.String(), -1)
	tokens, err := b.Store.Tokens(t.Context())
	if err != nil || len(tokens) != 1 || len(found) != 1 || !strings.Contains(log.b.String(), "only this once") {
		t.Fatalf("%d tokens, %v, log: %s", len(tokens), err, log.b.String())
	}
	b.Do(http.MethodGet, "/api/machines", found[0][1], nil).Wants(200, nil)
	if tokens[0].Role != store.RoleAdmin {
		t.Errorf("%+v", tokens[0])
	}
	// Never again, while there is any.
	announceFirstToken(t.Context(), b.Store, logger)
	if n := strings.Count(log.b.String(), "token="); n != 1 {
		t.Errorf("%d tokens in the log", n)
	}
}

// A log of errors alone shows the token as well: nobody could ever learn it.
func TestFirstTokenIsShownAtEveryLevel(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	var log lockedBuffer
	announceFirstToken(t.Context(), b.Store, (&settings{logLevel: "error"}).logger(&log))
	if !strings.Contains(log.b.String(), "token=tok_") {
		t.Errorf("log: %s", log.b.String())
	}
}
