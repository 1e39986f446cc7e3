package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestNotice: somebody confirms in a terminal that they have read the notice while the
// server is away; it comes to be listed there once, and other rules make a notice that they
// have not read. Root confirms for nobody. With words of the organisation a window asks.
func TestNotice(t *testing.T) { onSuites(t, noticed) }

func noticed(t *testing.T, suite debian.Suite) {
	srv := newServer(t)
	h := trackedHost(t, suite, srv)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 10, 0, 0, 0)
	wantTold(t, p)
	srv.Stop(t)
	read := p.notice(t)
	if read.ReadAt != nil || !strings.Contains(read.Text, "What is recorded about you") || !strings.Contains(read.Text, "Что о вас записывается") {
		t.Errorf("the notice is %+v", read)
	}
	h.run(t, "script", "-qec", "trackctl notice", "/dev/null")
	if n := p.notice(t); n.ReadAt != nil {
		t.Error("it is confirmed by root")
	}
	if out := p.confirm(t, "no"); !strings.Contains(out, "Nothing was confirmed") {
		t.Errorf("a no is answered %q", out)
	}
	began := time.Now()
	if out := p.confirm(t, "yes"); !strings.Contains(out, "It is noted that you have read this") {
		t.Errorf("a yes is answered %q", out)
	}
	h.run(t, "systemctl", "restart", "trackerd")
	h.waitTracked(t, p.Session.ID, time.Now())
	if out := p.confirm(t, ""); !strings.Contains(out, "You confirmed on") {
		t.Errorf("who has confirmed is asked again: %q", out)
	}
	srv.Start(t)
	row := h.receipt(t, read.Version)
	if row.MachineID != p.machine || row.Username != p.name || row.ReadAt.Before(began.Truncate(time.Second)) || row.ReadAt.After(time.Now()) {
		t.Errorf("the receipt is %+v", row)
	}
	h.configure(t, config+"pause: false\n")
	h.waitTracked(t, p.Session.ID, time.Now())
	if n := p.notice(t); n.ReadAt != nil || n.Version == read.Version {
		t.Errorf("with another rule the notice is %+v", n)
	}
	switch suite {
	case debian.Bookworm:
		p.wantShownAtLogin(t)
	case debian.Trixie:
		p.wantAsked(t, image.Pt(43, 108), image.Pt(192, 52))
	}
}

// wantShownAtLogin: where there is a notice, who logs in on a terminal is shown it. The newer
// release's login hangs up the terminal that a program has made for it.
func (p *person) wantShownAtLogin(t *testing.T) {
	t.Helper()
	const said = "This is our host."
	p.host.configure(t, config+"notice: {en: "+said+"}\n")
	eventually(t, 60*time.Second, "the notice is there", func() error {
		_, err := p.host.RunAs(t.Context(), p.name, "cat", "/etc/motd.d/trackerd")
		return err
	})
	// It throws away what was typed before its shell runs.
	shown := p.host.run(t, "sh", "-c", `for i in $(seq 50); do sleep 1; echo exit; done | timeout 60 script -qec "login -f $1" /dev/null`, "sh", p.name)
	if !strings.Contains(shown, said) || !strings.Contains(shown, "trackctl notice") {
		t.Errorf("a login shows %q", shown)
	}
}

// notice is what trackctl notice --json tells.
type notice struct {
	Version string     `json:"version"`
	Text    string     `json:"text"`
	ReadAt  *time.Time `json:"read_at"`
}

func (p *person) notice(t *testing.T) (n notice) {
	t.Helper()
	p.trackctl(t, &n, "notice")
	return n
}

// confirm answers trackctl notice in a terminal, and returns what that shows.
func (p *person) confirm(t *testing.T, answer string) string {
	t.Helper()
	res, err := p.host.Exec(t.Context(), testhost.Command{
		Args: []string{"runuser", "-u", p.name, "--", "script", "-qec", "trackctl notice", "/dev/null"}, Stdin: strings.NewReader(answer + "\n"),
	})
	if err != nil || res.Code != 0 {
		t.Fatalf("trackctl notice: %v, exit code %d: %s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	return res.Stdout
}

// TestSlowNoticeWindow is the window that TestNotice has on the newer release, with the
// older one's zenity.
func TestSlowNoticeWindow(t *testing.T) {
	t.Parallel()
	h := startHost(t, newServer(t), debian.XRDP(debian.Bookworm).With("notice", "zenity"))
	h.install(t, debPath)
	h.configure(t, config)
	h.enroll(t)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 10, 0, 0, 0)
	wantTold(t, p)
	// Beside its left edge and its bottom, and its right edge and its bottom.
	p.wantAsked(t, image.Pt(24, 59), image.Pt(51, 24))
}

// wantAsked: where there is a notice, a window in the session asks, and logins on terminals
// show it. What p ticks there reaches the server. box and ok are where the window has these,
// from its lower corners.
func (p *person) wantAsked(t *testing.T, box, ok image.Point) {
	t.Helper()
	h := p.host
	if _, err := h.RunAs(t.Context(), p.name, "cat", "/etc/motd.d/trackerd"); err == nil {
		t.Error("logins show a notice that there is not")
	}
	const said = "This is our host."
	h.configure(t, config+"notice: {en: "+said+"}\n")
	h.waitTracked(t, p.Session.ID, time.Now())
	p.awaitNotice(t)
	shown, err := h.RunAs(t.Context(), p.name, "cat", "/etc/motd.d/trackerd")
	if err != nil || !strings.Contains(shown, said) || !strings.Contains(shown, "trackctl notice") {
		t.Errorf("logins show %q, %v", shown, err)
	}
	h.run(t, "systemctl", "restart", "trackerd") // it closes the window, which comes again
	h.waitTracked(t, p.Session.ID, time.Now())
	w := p.awaitNotice(t)
	p.tick(t, w, image.Pt(w.Min.X+box.X, w.Max.Y-box.Y), image.Pt(w.Max.X-ok.X, w.Max.Y-ok.Y))
	n := p.notice(t)
	h.receipt(t, n.Version)
	if n = p.notice(t); n.ReadAt == nil || !strings.Contains(n.Text, said) {
		t.Errorf("the notice is %+v", n)
	}
}

// awaitNotice waits until the notice can be read in a window, and returns where that is.
func (p *person) awaitNotice(t *testing.T) (window image.Rectangle) {
	t.Helper()
	eventually(t, 60*time.Second, "the notice can be read", func() error {
		out, err := p.RunInSession(t.Context(), "xwininfo", "-name", "Activity Tracker")
		if err != nil {
			return err
		}
		var x, y, width, height int
		words := regexp.MustCompile(`-?\d+`).FindAllString(strings.Join(regexp.MustCompile(`(?m)(?:Absolute.*|Width|Height):.*$`).FindAllString(out, -1), " "), -1)
		if _, err := fmt.Sscan(strings.Join(words, " "), &x, &y, &width, &height); err != nil {
			return fmt.Errorf("%q: %w", out, err)
		}
		window = image.Rect(x, y, x+width, y+height)
		text := image.Rectangle{window.Min.Add(image.Pt(40, 100)), window.Max.Sub(image.Pt(40, 150))}
		if text.Empty() {
			return fmt.Errorf("it has no size yet: %s", window)
		}
		if dark := p.dark(t, text); dark < 0.01 {
			return fmt.Errorf("%.4f of its pixels are dark", dark)
		}
		return nil
	})
	return window
}

// tick ticks a window's box and clicks on the button, with an eye on both as people have: a
// click may be lost while the window manager still gives the window the focus.
func (p *person) tick(t *testing.T, window image.Rectangle, box, button image.Point) {
	t.Helper()
	clicked := time.Time{}
	eventually(t, 90*time.Second, "the window is answered", func() error {
		if _, err := p.RunInSession(t.Context(), "xwininfo", "-name", "Activity Tracker"); err != nil {
			return nil //nolint:nilerr // it is gone
		}
		const drawn = 5 * time.Second // by then, or the click was lost
		switch {
		case p.dark(t, image.Rectangle{box, box}.Inset(-6)) > 0.25: // it is ticked
			p.mustMove(t, button)
		case time.Since(clicked) < drawn:
			return errors.New("the box is not ticked yet")
		default:
			clicked = time.Now()
			p.mustMove(t, box)
		}
		if err := p.Click(t.Context(), 1, 1); err != nil {
			t.Fatal(err)
		}
		p.mustMove(t, image.Pt((window.Min.X+window.Max.X)/2, (window.Min.Y+window.Max.Y)/2)) // it is drawn lighter below the pointer
		return errors.New("it is still there")
	})
}

func (p *person) mustMove(t *testing.T, to image.Point) {
	t.Helper()
	if _, err := p.MoveTo(t.Context(), to.X, to.Y); err != nil {
		t.Fatal(err)
	}
}

// dark is the share of a part of p's screen that is darker than light grey.
func (p *person) dark(t *testing.T, part image.Rectangle) float64 {
	t.Helper()
	n, pixels := 0, p.part(t, part).Pix
	for _, grey := range pixels {
		if grey < 0xc0 {
			n++
		}
	}
	return float64(n) / float64(len(pixels))
}

// part is a part of p's screen.
func (p *person) part(t *testing.T, part image.Rectangle) *image.Gray {
	t.Helper()
	path := filepath.Join(t.TempDir(), "screen.png")
	if err := p.Screenshot(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	grey := image.NewGray(part.Intersect(picture.Bounds()))
	draw.Draw(grey, grey.Bounds(), picture, grey.Bounds().Min, draw.Src)
	return grey
}

// receipt waits until the server lists that a version was confirmed, and checks that it
// does so once.
func (h *host) receipt(t *testing.T, version string) (row api.ReceiptRow) {
	t.Helper()
	eventually(t, 90*time.Second, "a receipt arrives", func() error {
		var rows []api.ReceiptRow
		if err := json.Unmarshal([]byte(h.srv.command(t, "receipts", "--json")), &rows); err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r api.ReceiptRow) bool { return r.Notice != version })
		if len(rows) != 1 {
			return fmt.Errorf("there are %d", len(rows))
		}
		row = rows[0]
		return nil
	})
	return row
}
