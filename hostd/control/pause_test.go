package control

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// People pause for themselves, by the uid that the kernel tells, and are told why not;
// root pauses for nobody.
func TestPauseIsTheAskersOwn(t *testing.T) {
	d := &fakeDaemon{}
	socket := start(t, d)
	for _, ask := range []struct{ what, want string }{
		{"pause", `"uid":65534`},
		{"pause-0", "permitted=false not permitted: pausing is not allowed here"},
		{"pause-1", "permitted=true the disk is full"},
		{"resume", `{"paused":true}`},
	} {
		if out, err := asNobody(t, ask.what, socket).CombinedOutput(); err != nil || !strings.Contains(string(out), ask.want) {
			t.Errorf("%s: %s, %v", ask.what, out, err)
		}
	}
	c := NewClient(socket)
	var refusal *RefusalError
	if _, err := c.Pause(t.Context(), time.Hour); !errors.Is(err, ErrNotPermitted) || !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Message, "root cannot pause for others") {
		t.Errorf("root pauses: %v", err)
	}
	if _, err := c.Resume(t.Context()); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("root ends a pause: %v", err)
	}
	if want := []string{"65534 1h0m0s", "65534"}; !slices.Equal(d.paused, want) {
		t.Errorf("asked of the daemon: %q, want %q", d.paused, want)
	}
}

// A status tells people of their own pause, and root of all.
func TestPausesAreShownToTheirOwn(t *testing.T) {
	socket := start(t, &fakeDaemon{})
	st, err := NewClient(socket).Status(t.Context())
	if err != nil || len(st.Paused) != 2 {
		t.Errorf("root sees %+v, %v", st.Paused, err)
	}
	out, err := asNobody(t, "status", socket).CombinedOutput()
	if err != nil || strings.Contains(string(out), "alice") || !strings.Contains(string(out), `"paused":[{"machine_id":"host-abc123-nobody"`) {
		t.Errorf("another user sees %s, %v", out, err)
	}
}

// A body that is no length never reaches the daemon.
func TestLengthsThatAreNone(t *testing.T) {
	d := &fakeDaemon{}
	s := &Server{provider: d}
	for _, body := range []string{"", "{", `{"seconds":"1"}`, `{"seconds":4294967297}`, `{"seconds":-4294967297}`, `{"seconds":1e300}`} {
		if code := postAs(s.pause, nobody, body); code != http.StatusBadRequest {
			t.Errorf("%q is answered %d", body, code)
		}
	}
	if len(d.paused) > 0 {
		t.Errorf("asked of the daemon: %q", d.paused)
	}
}
