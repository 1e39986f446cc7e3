package e2e

import (
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
)

// TestSlowAheadOfTheServer has records of a clock that is more than a day ahead of the
// server's. They are no dead letters: they wait, and once the server's clock has come
// so far they arrive.
func TestSlowAheadOfTheServer(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := bareHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	h.install(t, debPath)
	h.configure(t, config)
	h.run(t, "systemctl", "stop", "trackerd")
	const machine, records, day = "office-ahead", 3, 24 * time.Hour
	const margin = 3 * time.Minute // to enrol, on a busy machine
	last := time.Now().UTC().Truncate(time.Second).Add(day + margin)
	if err := h.CopyIn(t.Context(), recordsUntil(t, machine, last, records), stateDir+"/buffer.db"); err != nil {
		t.Fatal(err)
	}
	h.run(t, "systemctl", "start", "trackerd")
	h.enroll(t)
	eventually(t, margin/2, "the records wait for later", func() error {
		st := h.status(t)
		if len(st.Host.Later) != 1 || st.Host.Later[0].Code != string(api.CodeBadTimestamp) || st.Host.Later[0].Events != records || len(st.Host.DeadLetters) > 0 {
			return fmt.Errorf("status is %+v", st.Host)
		}
		return nil
	})
	// Who works now does not wait behind them.
	p := h.login(t, "alice")
	p.mustWork(t, 20, 1, 1, 1)
	wantTold(t, p)

	h.pause(t, time.Until(last.Add(time.Second-day)))
	h.run(t, "trackctl", "rejected", "retry", "--code", string(api.CodeBadTimestamp))
	eventually(t, 30*time.Second, "the records have arrived", func() error {
		events, err := srv.Events(t.Context(), machine)
		if st := h.status(t); err == nil && (len(events) != records || len(st.Host.Later) > 0) {
			err = fmt.Errorf("%d arrived, %+v wait", len(events), st.Host.Later)
		}
		return err
	})
}

// recordsUntil makes a buffer with so many records of a machine, a second apart, of
// which the last begins then.
func recordsUntil(t *testing.T, machine string, last time.Time, records int) (path string) {
	t.Helper()
	return filledBuffer(t, records, func(i int) api.Event {
		return api.Event{MachineID: machine, Username: "ahead", Timestamp: last.Add(time.Duration(i+1-records) * time.Second), KeyCount: 1}
	})
}
