package control

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyUsersAreNoWayAround: somebody who has many user ids asks no faster with them.
func TestManyUsersAreNoWayAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, lasts = 2000, 500 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		var answered atomic.Int64
		h := newPacer().pace(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { answered.Add(1) }))
		var asking sync.WaitGroup
		for uid := range uint32(users) {
			asking.Go(func() {
				r := httptest.NewRequestWithContext(context.WithValue(ctx, peerKey{}, 100_000+uid), http.MethodGet, "/v1/status", nil)
				h.ServeHTTP(httptest.NewRecorder(), r)
			})
		}
		asking.Wait()
		want := int64(allBurst + allPerSecond*lasts.Seconds())
		// The last turn may come in the moment when the time is over.
		if n := answered.Load(); n < want-1 || n > want {
			t.Errorf("%d were answered, want %d or one less", n, want)
		}
	})
}

// postAs has a handler answer what a user posts, and returns the status.
func postAs(handler http.HandlerFunc, uid uint32, body string) int {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	w := httptest.NewRecorder()
	handler(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, uid)))
	return w.Code
}
