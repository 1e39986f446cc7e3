package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"net/url"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// pictures is what trackctl status --json tells of screenshots.
type pictures struct {
	Sessions []struct {
		Screenshots *struct {
			WhyNot string `json:"why_not"`
		} `json:"screenshots"`
	} `json:"sessions"`
}

// TestScreenshot: of somebody at work there is no picture until they have confirmed the
// notice that names pictures; then there is one, blurred, for root alone, while the server
// is away. Once that is back it has it.
func TestScreenshot(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := trackedHost(t, debian.Trixie, srv)
	defer h.showLogOnFailure(t)
	const folder = "/var/lib/trackerd/screenshots"
	if res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"ls", folder}}); err != nil || res.Code == 0 {
		t.Errorf("pictures are off, and there is %s: %v", folder, err)
	}
	h.configure(t, config+"features: {screenshots: true}\nscreenshots: {interval_sec: 60}\n")
	p := h.login(t, "alice")
	p.mustWork(t, 5, 0, 0, 0)
	srv.Stop(t)
	stop := keepTyping(t, p)
	defer stop()
	p.awaitPictures(t, "before it is confirmed", func(whyNot string) bool { return strings.Contains(whyNot, "notice") })
	if n := p.notice(t); !strings.Contains(n.Text, "a picture of your screen, so blurred") || !strings.Contains(n.Text, "снимок вашего экрана") {
		t.Errorf("the notice names no pictures: %s", n.Text)
	}
	p.confirm(t, "yes")
	p.awaitPictures(t, "once it is confirmed", func(whyNot string) bool { return whyNot == "" })
	var file string
	eventually(t, 3*time.Minute, "a picture is kept", func() error {
		out, err := h.Run(t.Context(), "sh", "-c", "find "+folder+" -name '*.shot' -perm 600 -user root | head -n 1 | grep .")
		file = strings.TrimSpace(out)
		return err
	})
	data := h.run(t, "cat", file)
	_, picture, _ := strings.Cut(data, "\n")
	size, err := jpeg.DecodeConfig(bytes.NewReader([]byte(picture)))
	if err != nil || size.Width != 1024/16 || size.Height != 768/16 {
		t.Errorf("the picture is %+v, %v", size, err)
	}
	log := h.run(t, "journalctl", "-u", "trackerd", "-o", "cat", "--no-pager")
	if !strings.Contains(log, "shared_memory=true") {
		t.Error("memory was not shared with the X server")
	}
	srv.Start(t)
	p.wantPictureSent(t, folder)
}

// wantPictureSent waits until the server has what waits in the folder.
func (p *person) wantPictureSent(t *testing.T, folder string) {
	t.Helper()
	var list api.ScreenshotList
	eventually(t, 2*time.Minute, "pictures are sent", func() error {
		var people api.PersonList
		if err := p.host.srv.Get(t.Context(), "/api/people?machine_id="+url.QueryEscape(p.machine), &people); err != nil || len(people.People) != 1 {
			return fmt.Errorf("people: %+v, %w", people, err)
		}
		if err := p.host.srv.Get(t.Context(), "/api/people/"+people.People[0].ID+"/screenshots", &list); err != nil {
			return err
		}
		if waiting, err := p.host.Run(t.Context(), "find", folder, "-name", "*.shot"); err != nil || waiting != "" || len(list.Screenshots) == 0 {
			return fmt.Errorf("there are %d, and there wait %q, %w", len(list.Screenshots), waiting, err)
		}
		return nil
	})
	for _, s := range list.Screenshots {
		if s.MachineID != p.machine || s.Kind != "blurred" || s.Width != 1024/16 || s.Height != 768/16 {
			t.Errorf("the server has %+v", s)
		}
	}
}

// awaitPictures waits until trackctl status tells what is wanted of why there are none.
func (p *person) awaitPictures(t *testing.T, when string, is func(whyNot string) bool) {
	t.Helper()
	eventually(t, time.Minute, "pictures "+when, func() error {
		out, err := p.host.trackctlAs(t, p.name, "status", "--json")
		var st pictures
		if err == nil {
			err = json.Unmarshal([]byte(out), &st)
		}
		switch {
		case err != nil:
			return err
		case len(st.Sessions) != 1 || st.Sessions[0].Screenshots == nil:
			return errors.New("no word of pictures")
		case !is(st.Sessions[0].Screenshots.WhyNot):
			return fmt.Errorf("it says %q", st.Sessions[0].Screenshots.WhyNot)
		}
		return nil
	})
}

// TestSlowScreenshotRules is the same on the other Debian, where at first a window is open
// whose title a rule drops, then is not.
func TestSlowScreenshotRules(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := trackedHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	h.configure(t, config+"features: {screenshots: true}\nscreenshots: {interval_sec: 60, kind: readable}\ntitle_rules: [{app: '^Ledger$', action: drop}]\n")
	p := h.login(t, "alice")
	p.mustWork(t, 5, 0, 0, 0)
	p.start(t, "xterm", "-class", "Ledger", "-geometry", "30x10+750+80", "-e", "sleep", "3000")
	awaitWindow(t, p, "Ledger", "")
	p.confirm(t, "yes")
	stop := keepTyping(t, p)
	defer stop()
	log := func() string { return h.run(t, "journalctl", "-u", "trackerd", "-o", "cat", "--no-pager") }
	eventually(t, 3*time.Minute, "no picture is taken for the window", func() error {
		if !strings.Contains(log(), "whose title a rule drops") {
			return errors.New("nothing was to be taken yet")
		}
		return nil
	})
	if got := log(); strings.Contains(got, "a screenshot was taken") {
		t.Error("a picture was taken with the window open")
	}
	h.run(t, "pkill", "-f", "sleep 3000")
	eventually(t, 3*time.Minute, "a picture is taken", func() error {
		if !strings.Contains(log(), "shared_memory=true") {
			return errors.New("none is")
		}
		return nil
	})
}
