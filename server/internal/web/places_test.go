package web

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// However many ask for metrics, a few renderings take memory and processors at a
// time, and who waits too long is told to come back.
func TestScrapesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			callers = 20
			took    = 2 * time.Second
		)
		var served, refused atomic.Int64
		var mu sync.Mutex
		var under, most int
		enter := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			under += n
			most = max(most, under)
		}
		h := scraped(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			enter(1)
			defer enter(-1)
			<-time.After(took)
			w.WriteHeader(http.StatusOK)
		}))
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				switch w := ask(h, http.MethodGet, "/metrics"); {
				case w.Code == http.StatusOK:
					served.Add(1)
				case w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Errorf("status %d, %v", w.Code, w.Header())
				}
			})
		}
		all.Wait()
		// Two at once, begun after 0, 2 and 4 s of the 5 that callers wait.
		if most != scrapes || served.Load() != 3*scrapes || refused.Load() != callers-3*scrapes {
			t.Errorf("%d at once, %d served, %d refused", most, served.Load(), refused.Load())
		}
	})
}
