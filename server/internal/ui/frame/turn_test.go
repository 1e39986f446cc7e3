package frame

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/limiter"
)

// body counts what was read of it.
type body struct {
	io.Reader
	read int
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

// Who has as many pages under way as they may has no further form read, however large; the form
// and the page after it are one turn.
func TestFormsInTurn(t *testing.T) {
	f, err := New(Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	f.turns = limiter.New[string](1, time.Millisecond)
	page := Page{
		Name: refusedPage,
		Make: func(*Visit) (any, error) { return nil, nil }, //nolint:nilnil // it shows nothing
		Act:  func(*Visit) (Done, error) { return Done{Show: "done"}, nil },
	}
	send := func() (status, read int) {
		form := &body{Reader: strings.NewReader("text=" + strings.Repeat("x", 1000))}
		r := httptest.NewRequest(http.MethodPost, "/page", form)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		f.act(f.visit(r, auth.Principal{ID: "anna"}), w, page)
		return w.Code, form.read
	}
	end, _ := f.turns.Take(t.Context(), "anna")
	if status, read := send(); status != http.StatusTooManyRequests || read > 0 {
		t.Errorf("status %d, %d bytes were read", status, read)
	}
	end()
	if status, read := send(); status != http.StatusOK || read == 0 {
		t.Errorf("status %d, %d bytes were read", status, read)
	}
}
