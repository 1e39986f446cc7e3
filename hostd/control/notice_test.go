package control

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Everybody reads the notice; whoever is measured confirms it for themselves, and root for
// nobody.
func TestNoticeIsConfirmedByTheAsker(t *testing.T) {
	d := &fakeDaemon{}
	socket := start(t, d)
	for _, ask := range []struct{ what, want string }{
		{"notice", `{"version":"v1","text":"for 65534","read_at":null}`},
		{"confirm", `"read_at":"2001-09-09T01:46:40Z"`},
		{"confirm-other", "permitted=true the notice is another one now"},
	} {
		if out, err := asNobody(t, ask.what, socket).CombinedOutput(); err != nil || !strings.Contains(string(out), ask.want) {
			t.Errorf("%s: %s, %v", ask.what, out, err)
		}
	}
	c := NewClient(socket)
	if n, err := c.Notice(t.Context()); err != nil || n.Text != "for 0" {
		t.Errorf("root reads %+v, %v", n, err)
	}
	if _, err := c.Confirm(t.Context(), "v1"); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("root confirms: %v", err)
	}
	for _, body := range []string{"", "{", "{}", `{"version":1}`, `{"version":"` + strings.Repeat("a", maxBodyBytes) + `"}`} {
		if code := postAs((&Server{provider: d}).confirm, nobody, body); code != http.StatusBadRequest {
			t.Errorf("%.20q is answered %d", body, code)
		}
	}
	if !slices.Equal(d.confirmed, []uint32{nobody}) {
		t.Errorf("confirmed by %v", d.confirmed)
	}
}
