package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestNotice: somebody confirms in a terminal that they have read the notice while the
// server is away; it comes to be listed there once, and other rules make a notice that they
// have not read. Root confirms for nobody.
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
	rows := h.receipts(t)
	if len(rows) != 1 || rows[0].MachineID != p.machine || rows[0].Username != p.name || rows[0].Notice != read.Version ||
		rows[0].ReadAt.Before(began.Truncate(time.Second)) || rows[0].ReadAt.After(time.Now()) {
		t.Errorf("the receipts are %+v, the notice is %s", rows, read.Version)
	}
	h.configure(t, config+"pause: false\n")
	h.waitTracked(t, p.Session.ID, time.Now())
	if n := p.notice(t); n.ReadAt != nil || n.Version == read.Version {
		t.Errorf("with another rule the notice is %+v", n)
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

// receipts waits until the server lists some.
func (h *host) receipts(t *testing.T) (rows []api.ReceiptRow) {
	t.Helper()
	eventually(t, 90*time.Second, "a receipt arrives", func() error {
		err := json.Unmarshal([]byte(h.srv.command(t, "receipts", "--json")), &rows)
		if err == nil && len(rows) == 0 {
			err = fmt.Errorf("there is none")
		}
		return err
	})
	return rows
}
