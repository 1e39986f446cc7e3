package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
)

// TestTitleRules: a title that the host's rules take out is in no record, and was in no
// byte of the buffer's file, while another title is.
func TestTitleRules(t *testing.T) {
	t.Parallel()
	h := trackedHost(t, debian.Bookworm, newServer(t))
	defer h.showLogOnFailure(t)
	const secret, shown, kept = "Salaries of everybody", "hidden by rule", "Budget of the year"
	h.configure(t, config+"title_rules:\n  - {app: '^Ledger$', title: Salaries, action: replace, with: "+shown+"}\n")
	p := h.login(t, "alice")
	for _, title := range []string{secret, kept} {
		p.start(t, "xterm", "-class", "Ledger", "-xrm", "*allowTitleOps: false", "-T", title, "-geometry", "30x10+750+80", "-e", "sleep", "300")
		want := title
		if title == secret {
			want = shown
		}
		awaitWindow(t, p, "Ledger", want)
	}
	for _, e := range p.records(t) {
		if strings.Contains(fmt.Sprintf("%+v", e), secret) {
			t.Errorf("a record has the title: %+v", e)
		}
	}
	found := func(what string) bool {
		_, err := h.Run(t.Context(), "grep", "-qaF", what, "/var/lib/trackerd/buffer.db")
		return err == nil
	}
	if !found(kept) || !found(shown) {
		t.Error("the buffer's file shows no title at all: this test would see nothing")
	}
	if found(secret) {
		t.Error("the buffer's file has the title")
	}
}

// TestWorkHours: somebody types while work hours end. Until that second there is each
// record, and from then on none and no helper; when the hours change it goes on.
func TestWorkHours(t *testing.T) {
	t.Parallel()
	h := trackedHost(t, debian.Bookworm, newServer(t))
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 5, 0, 0, 0)
	began := time.Now()
	// A zone in which it is about noon: work hours do not span midnight. Etc/GMT+1 is an
	// hour behind UTC.
	behind := began.UTC().Hour() - 12
	noon := time.FixedZone("", -behind*3600)
	hours := func(from, until time.Time) string {
		return config + fmt.Sprintf("work_hours: {tz: Etc/GMT%+d, mon-sun: [%q]}\n", behind, from.In(noon).Format("15:04")+"-"+until.In(noon).Format("15:04"))
	}
	const minutes = 2
	end := began.Truncate(time.Minute).Add(minutes * time.Minute)
	const more = 30 * time.Minute
	h.configure(t, hours(began.Add(-time.Minute), end))
	h.waitTracked(t, p.Session.ID, time.Now())
	from := time.Now()
	stop := keepTyping(t, p)
	h.pause(t, time.Until(end.Add(2*interval*time.Second)))
	stop()
	if err := h.unitGone(t, p.Session.ID); err != nil {
		t.Error(err)
	}
	var events []api.Event
	eventually(t, 30*time.Second, "the last record arrives", func() (err error) {
		events, err = h.srv.Events(t.Context(), p.machine)
		if last := end.Add(-interval * time.Second); err == nil && (len(events) == 0 || events[len(events)-1].Timestamp.Before(last)) {
			err = fmt.Errorf("there are %d records, and none of %v", len(events), last)
		}
		return err
	})
	wantEveryRecord(t, events, from, end)
	for _, e := range events {
		if !e.Timestamp.Before(end) || e.CollectedSeconds != nil {
			t.Errorf("a record outside of work hours, or cut: %+v", e)
		}
	}
	h.configure(t, hours(began.Add(-time.Minute), end.Add(more)))
	h.waitTracked(t, p.Session.ID, time.Now())
}
