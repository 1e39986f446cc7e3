package testhost

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/wait"
)

// TestDay is what a user does in a day: log in, work, disconnect, reconnect,
// work, log out and in again. A second user works beside. The X server's own
// raw events, read by xinput within the session, must be exactly what was
// sent.
func TestDay(t *testing.T) {
	for _, suite := range debian.Suites() {
		t.Run(string(suite), func(t *testing.T) { day(t, suite) })
	}
}

func day(t *testing.T, suite debian.Suite) {
	h := startBase(t, debian.XRDP(suite))
	ctx := t.Context()
	alice, bob := login(t, h, "alice"), login(t, h, "bob")
	a, b := watch(t, alice), watch(t, bob)

	did, bobDid := work(t, alice, 250), work(t, bob, 7)
	a.want(t, did)
	b.want(t, bobDid)

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
	a.want(t, did.plus(work(t, alice, 100)))
	b.want(t, bobDid)

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
	n.want(t, work(t, again, 20))
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

// counts are what a user did, or what a session saw.
type counts struct{ keys, clicks, scrolls, distance int }

func (c counts) plus(d counts) counts {
	return counts{c.keys + d.keys, c.clicks + d.clicks, c.scrolls + d.scrolls, c.distance + d.distance}
}

// work types so many keys, and clicks, scrolls and moves a little.
func work(t *testing.T, r *RDP, keys int) counts {
	t.Helper()
	did := counts{clicks: 9}
	var err error
	if did.keys, err = r.Type(t.Context(), strings.Repeat("a", keys)); err != nil || did.keys != keys {
		t.Errorf("Type = %d, %v, want %d", did.keys, err, keys)
	}
	move := func(x, y int) {
		n, err := r.MoveTo(t.Context(), x, y)
		if err != nil {
			t.Error(err)
		}
		did.distance += n
	}
	// On the desktop, where a click does nothing but focus it.
	move(900, 700)
	if err := r.Click(t.Context(), did.clicks, 1); err != nil {
		t.Error(err)
	}
	move(301, 302)
	if did.scrolls, err = r.Scroll(t.Context(), -12); err != nil {
		t.Error(err)
	}
	return did
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

var (
	rawPress  = regexp.MustCompile(`(?m)^EVENT type \d+ \((RawKeyPress|RawButtonPress)\)\n(?: .*\n)*? +detail: (\d+)$`)
	rawMotion = regexp.MustCompile(`(?m)^EVENT type \d+ \(RawMotion\)\n(?: .*\n)*`)
	valuator  = regexp.MustCompile(`(?m)^ +([01]): ([\d.]+) `)
)

// want waits until the witness has seen all of it, and fails if it sees more.
func (w witness) want(t *testing.T, want counts) {
	t.Helper()
	var got counts
	err := wait.Until(timeout(t, 10*time.Second), func() (bool, error) {
		log, err := w.r.RunInSession(t.Context(), "cat", w.log)
		got = count(log)
		return got == want, err
	})
	if err != nil {
		t.Errorf("the session of %s saw %+v, want %+v: %v", w.r.info.User, got, want, err)
	}
}

// count reads what xinput wrote. Raw motion under xrdp is where the pointer
// is, in pixels.
func count(log string) counts {
	var c counts
	for _, m := range rawPress.FindAllStringSubmatch(log, -1) {
		switch {
		case m[1] == "RawKeyPress":
			c.keys++
		case m[2] >= "4" && m[2] <= "7":
			c.scrolls++
		default:
			c.clicks++
		}
	}
	at := [2]float64{firstX, firstY}
	for _, event := range rawMotion.FindAllString(log, -1) {
		to := at
		for _, m := range valuator.FindAllStringSubmatch(event, -1) {
			to[m[1][0]-'0'], _ = strconv.ParseFloat(m[2], 64)
		}
		c.distance += int(math.Hypot(to[0]-at[0], to[1]-at[1]))
		at = to
	}
	return c
}
