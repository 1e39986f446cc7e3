package httpserver

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// gone is a connection whose reader takes nothing any more.
type gone struct{ *httptest.ResponseRecorder }

func (gone) FlushError() error { return os.ErrDeadlineExceeded }

// Whoever sends piece by piece learns at once that a piece did not go out.
func TestSendReportsAReaderThatIsGone(t *testing.T) {
	var err error
	h := wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		pieces, begun := InPieces(w, time.Second)
		if begun != nil {
			t.Error(begun)
			return
		}
		_, err = pieces.Send([]byte("data: 1\n\n"))
	}))
	h.ServeHTTP(gone{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// What is flushed before anything is written counts as answered.
func TestFlushBeginsTheReply(t *testing.T) {
	h := wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	if w := ask(h, http.MethodGet, "/"); w.Code != http.StatusOK || !w.Flushed {
		t.Errorf("%d %v", w.Code, w.Flushed)
	}
}
