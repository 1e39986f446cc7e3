package events_test

import (
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/testdb"
)

// A machine's row knows of fewer events than there are: a copy meets some of them, and all are
// compared. Where rows of several kinds come together they are in order again then.
func TestRowsThatMeetWhatTheMachineForgot(t *testing.T) { storetest.OnBoth(t, rowsThatAreForgotten) }

func rowsThatAreForgotten(t *testing.T, url string) {
	t.Helper()
	x := newExact(t, url)
	at := x.at
	write := func(what string, duplicates int, list ...api.Event) {
		t.Helper()
		x.write(what, duplicates, list...)
		if _, err := storetest.Connect(t, url).Exec(t.Context(), "UPDATE machine SET last_ts = last_ts - interval '3 hours'"); err != nil {
			t.Fatal(err)
		}
	}
	write("new", 0, at("a", time.Hour), at("b", time.Hour), at("c", time.Hour))
	write("all are later than it knows", 2, at("a", time.Hour), at("a", 0), at("b", time.Hour), at("c", 0))
	write("some are", 1, at("a", 5*time.Hour), at("a", time.Hour), at("c", 6*time.Hour), at("d", 0))
	many := []api.Event{at("a", 7*time.Hour), at("b", time.Hour), at("b", 8*time.Hour), at("d", 9*time.Hour)}
	for i := range events.CopiedFrom {
		many = append(many, at("c", -time.Duration(i+1)*time.Second), at("d", 10*time.Hour+time.Duration(i)*time.Second))
	}
	write("so many are that they are copied beside the others", 1, many...)
}

// Usual batches are copied where the database is spread, and are stored as well where Citus
// refuses a copy, which has an error of its own.
func TestUsualBatchesAreCopiedWhereSpread(t *testing.T) {
	if testdb.Elsewhere() {
		t.Skip("a trigger shows it, which Citus does not take")
	}
	url := storetest.NewDatabase(t)
	testdb.PretendSpread(t, url)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	next := now
	write := func() error {
		next = next.Add(time.Minute)
		w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{{MachineID: "m", Timestamp: next}}})
		if err == nil && w.Accepted != 1 {
			t.Errorf("%+v", w)
		}
		return err
	}
	refuse := func(which string) {
		_, err := storetest.Connect(t, url).Exec(t.Context(), `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN IF current_query() `+which+` '%ON CONFLICT%' THEN RAISE 'refused' USING ERRCODE = 'XX000'; END IF; RETURN NULL; END $$;
			CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse()`)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	refuse("LIKE")
	if err := write(); err != nil {
		t.Errorf("a later event was compared: %v", err)
	}
	next = next.Add(-90 * time.Second)
	if err := write(); err == nil {
		t.Error("an earlier event was copied")
	}
	next = next.Add(time.Hour)
	refuse("NOT LIKE")
	if err := write(); err != nil {
		t.Errorf("after a copy was refused: %v", err)
	}
}
