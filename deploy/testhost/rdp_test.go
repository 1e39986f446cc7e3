package testhost

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDay is what a user does in a day: log in, work, disconnect, reconnect,
// work, log out and in again. A second user works beside. The X server's own
// raw events, read by xinput within the session, must be exactly what was
// sent.
func TestDay(t *testing.T) {
	h := start(t)
	ctx := t.Context()
	alice, bob := login(t, h, "alice"), login(t, h, "bob")
	a, b := watch(t, alice), watch(t, bob)

	const keys, clicks, scrolls = 250, 9, 12
	work(t, alice, keys, clicks, scrolls)
	work(t, bob, 7, 1, 3)
	a.want(t, keys, clicks, scrolls)
	b.want(t, 7, 1, 3)

	if err := alice.Disconnect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Type(ctx, "x"); err == nil {
		t.Error("typing works without a client")
	}
	before := alice.Session
	if err := alice.Reconnect(ctx); err != nil {
		t.Fatal(err)
	}
	if alice.Session != before {
		t.Errorf("session after a reconnect is %v, was %v", alice.Session, before)
	}
	work(t, alice, keys, clicks, scrolls)
	a.want(t, 2*keys, 2*clicks, 2*scrolls)
	b.want(t, 7, 1, 3)

	if err := alice.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	again, err := h.Login(ctx, "alice", LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Session.ID == before.ID || again.Session.Display != before.Display {
		t.Errorf("session after the next login is %v, was %v: want another one on the same display", again.Session, before)
	}
	n := watch(t, again)
	work(t, again, 20, 2, 2)
	n.want(t, 20, 2, 2)
}

// TestDesktop looks at what the client shows.
func TestDesktop(t *testing.T) {
	h := start(t)
	r := login(t, h, "carol")
	path := filepath.Join(t.TempDir(), "shot.png")
	if err := r.Screenshot(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != defaultWidth || b.Dy() != defaultHeight {
		t.Errorf("the screenshot is %v", b)
	}
	title, err := r.RunInSession(t.Context(), "sh", "-c",
		`xprop -id $(xprop -root _NET_ACTIVE_WINDOW | cut -d' ' -f5) WM_CLASS`)
	if err != nil || !strings.Contains(title, "XTerm") {
		t.Errorf("the active window is %q, %v; want an XTerm", title, err)
	}
}

func TestLoginRefused(t *testing.T) {
	h := start(t)
	if _, err := h.AddUser(t.Context(), "dave"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := h.Login(ctx, "dave", LoginOptions{Password: "wrong"}); err == nil {
		t.Error("a wrong password logs in")
	}
	if _, err := h.Login(t.Context(), "nobody-added", LoginOptions{}); err == nil {
		t.Error("a user who was not added logs in")
	}
}

func TestForward(t *testing.T) {
	h := start(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello from outside") }))
	defer srv.Close()
	for _, addr := range []string{"127.0.0.1:8100", ClientAddr + ":8100"} {
		f, err := h.Forward(t.Context(), addr, srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		host, port, _ := strings.Cut(addr, ":")
		get := fmt.Sprintf(`exec 3<>/dev/tcp/%s/%s && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && cat <&3`, host, port)
		out, err := h.Run(t.Context(), "bash", "-c", get)
		if err != nil || !strings.HasSuffix(out, "hello from outside") {
			t.Errorf("from the host, %s answers %q, %v", addr, out, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := h.Run(t.Context(), "bash", "-c", get); err == nil {
			t.Errorf("%s still answers after Close", addr)
		}
	}
}

func login(t *testing.T, h *Host, user string) *RDP {
	t.Helper()
	if _, err := h.AddUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r, err := h.Login(t.Context(), user, LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s logged in after %s", user, time.Since(began).Round(time.Millisecond))
	return r
}

func work(t *testing.T, r *RDP, keys, clicks, scrolls int) {
	t.Helper()
	n, err := r.Type(t.Context(), strings.Repeat("a", keys))
	if err != nil || n != keys {
		t.Errorf("Type = %d, %v, want %d", n, err, keys)
	}
	// On the desktop, where a click does nothing but focus it.
	if _, err := r.MoveTo(t.Context(), 900, 700); err != nil {
		t.Error(err)
	}
	if err := r.Click(t.Context(), clicks, 1); err != nil {
		t.Error(err)
	}
	if _, err := r.MoveTo(t.Context(), 300, 300); err != nil {
		t.Error(err)
	}
	if err := r.Scroll(t.Context(), scrolls); err != nil {
		t.Error(err)
	}
}

// witness is xinput within a session, writing down every raw event.
type witness struct {
	r   *RDP
	log string
}

func watch(t *testing.T, r *RDP) witness {
	t.Helper()
	w := witness{r: r, log: "/tmp/witness-" + r.Session.ID}
	_, err := r.RunInSession(t.Context(), "sh", "-c",
		`(stdbuf -oL xinput test-xi2 --root >"$1" 2>&1 &); until grep -q . "$1" || xinput list | grep -q .; do :; done`, "watch", w.log)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var rawPress = regexp.MustCompile(`(?m)^EVENT type \d+ \((RawKeyPress|RawButtonPress)\)\n.*\n +detail: (\d+)$`)

// want waits until the witness has seen the last event, then compares.
func (w witness) want(t *testing.T, keys, clicks, scrolls int) {
	t.Helper()
	want := [3]int{keys, clicks, scrolls}
	var got [3]int
	err := poll(timeout(t, 10*time.Second), func() (bool, error) {
		log, err := w.r.RunInSession(t.Context(), "cat", w.log)
		got = [3]int{}
		for _, m := range rawPress.FindAllStringSubmatch(log, -1) {
			switch {
			case m[1] == "RawKeyPress":
				got[0]++
			case m[2] >= "4" && m[2] <= "7":
				got[2]++
			default:
				got[1]++
			}
		}
		return got == want, err
	})
	if err != nil {
		t.Errorf("the session of %s saw (keys, clicks, scroll steps) %v, want %v: %v", w.r.info.User, got, want, err)
	}
}
