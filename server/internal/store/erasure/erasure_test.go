package erasure_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/erasure"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/storetest"
)

// Who is erased can't be read at once, is in no table after a while, and what others are
// answered is the same to the byte.
func TestErase(t *testing.T) {
	o := newOffice(t)
	keys, boris, anna := o.keys("anna-1"), o.told("boris"), o.person("anna-1").ID
	if n := o.picturesOf("anna") + o.picturesOf("boris"); n != 4 {
		t.Errorf("%d pictures", n)
	}
	c := o.erase("anna-1")
	if c.Accounts != 2 || c.GoneAt != nil || !c.UnreadableAt.Equal(noon) || c.Receipts != 2 || c.Screenshots != 2 || c.Notes != 2 || c.Texts == 0 || c.Policies != 1 || c.PoliciesLeft != 0 {
		t.Errorf("%+v", c)
	}
	for _, id := range []string{"anna-1", "anna-2"} {
		if _, err := o.MachineByID(t.Context(), directory.Scope{}, id); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := o.Erasures.Erase(t.Context(), anna); !errors.Is(err, people.ErrNone) {
		t.Error(err)
	}
	for range 2 {
		storetest.Exact(t, o.Store, 2*records)
		if got := o.told("boris"); got != boris {
			t.Errorf("others' answers are %s, were %s", got, boris)
		}
		o.finish()
	}
	o.gone("anna", keys)
	if n := o.picturesOf("boris"); n != 2 {
		t.Errorf("%d of others' pictures are left", n)
	}
	o.certified(c.ID)
}

// certified checks what an erasure's certificate counts at its end, and that the audit log
// holds and names nobody.
func (o *office) certified(id int64) {
	o.t.Helper()
	c, err := o.Erasures.ByID(o.t.Context(), id)
	o.must(err)
	// 30 titles of records, and one of each account, in two months.
	months := map[string]bool{}
	for _, e := range append(past("anna", "anna-1"), past("anna", "anna-2")...) {
		month := e.Timestamp.Format("2006-01 ")
		months[month+e.ActiveWindow], months[month+e.Focus[0].Title] = true, true
	}
	if c.GoneAt == nil || c.GoneAt.Before(c.UnreadableAt.Add(erasure.Settle)) || c.Events == 0 || c.Hours == 0 || c.Sums == 0 || c.Days == 0 ||
		c.Spans != 2 || c.Looks != 5 || c.Titles != int64(len(months)) {
		o.t.Errorf("%+v, want %d titles", c, len(months))
	}
	if list, err := o.Erasures.List(o.t.Context(), 1<<62, 10); err != nil || !reflect.DeepEqual(list, []erasure.Certificate{c}) {
		o.t.Errorf("%+v %v", list, err)
	}
	v, err := o.Audit.Verify(o.t.Context())
	if err != nil || v.Wrong != "" || v.Erased != c.Texts {
		o.t.Errorf("%+v %v", v, err)
	}
	list, err := o.Audit.List(o.t.Context(), 1<<62, 1)
	if err != nil || len(list) != 1 || list[0].What != "person.erased" || list[0].ActorKind != audit.Server {
		o.t.Errorf("%+v %v", list, err)
	}
}

// Each step may be another server's: whoever was killed between two, the next goes on.
func TestEachStepMayBeAnothers(t *testing.T) {
	o := newOffice(t)
	keys, boris := o.keys("anna-1"), o.told("boris")
	id := o.erase("anna-1").ID
	steps := 0
	for more := true; more; steps++ {
		s := o.server()
		s.Erasures.Slowly()
		var err error
		more, err = s.Erasures.Step(t.Context())
		o.must(err)
		s.Close()
	}
	if steps < 20 {
		t.Errorf("%d steps", steps)
	}
	storetest.Exact(t, o.Store, 2*records)
	o.finish()
	o.gone("anna", keys)
	o.certified(id)
	if got := o.told("boris"); got != boris {
		t.Errorf("others' answers are %s, were %s", got, boris)
	}
}

// A server that is cut off in the middle of what it does leaves it whole.
func TestCutOffInTheMiddle(t *testing.T) {
	o := newOffice(t)
	keys := o.keys("anna-1")
	id := o.erase("anna-1").ID
	o.Erasures.Slowly()
	killer := storetest.Connect(t, o.url)
	stop := make(chan struct{})
	var kills sync.WaitGroup
	kills.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := killer.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL`); err != nil {
				t.Error(err)
				return
			}
		}
	})
	cut := 0
	for cut < 5 {
		// Once all is deleted there is nothing more to cut: another person follows.
		if err := o.Erasures.Finish(t.Context()); err != nil {
			cut++
			continue
		}
		break
	}
	close(stop)
	kills.Wait()
	o.finish()
	o.gone("anna", keys)
	o.certified(id)
	t.Logf("cut off %d times", cut)
}

// Records of before are refused, on every server, and newer ones begin anew.
func TestRecordsOfBeforeAreRefused(t *testing.T) {
	o := newOffice(t)
	other, before := o.server(), past("anna", "anna-1")
	newer := api.Event{MachineID: "anna-1", Timestamp: noon.Add(time.Minute), KeyCount: 7}
	// It remembers the account as it was.
	storetest.Accepted(t, other, o.host, before, 0)
	o.erase("anna-1")
	for _, s := range []*storetest.Store{other, o.Store} {
		w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: o.host, Events: before})
		if err != nil || len(w.Erased) != records || w.Accepted+w.Duplicates != 0 {
			t.Errorf("%+v %v", w, err)
		}
	}
	if p := o.person("anna-1"); p.ID != 0 {
		t.Errorf("%+v", p)
	}
	for i, s := range []*storetest.Store{other, o.Store, o.server()} {
		w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: o.host, Events: append(before, newer)})
		if err != nil || len(w.Erased) != records || w.Accepted+w.Duplicates != 1 || w.Accepted > 0 != (i == 0) {
			t.Errorf("%+v %v", w, err)
		}
	}
	m, err := o.MachineByID(t.Context(), directory.Scope{}, "anna-1")
	if err != nil || m.FirstSeen.Before(noon) || m.UserLabel != "" || len(m.Groups) > 0 {
		t.Errorf("%+v %v", m, err)
	}
	o.finish()
	storetest.Exact(t, o.Store, 2*records+1)
	// What is no longer refused is as new.
	o.wait(erasure.KeepTombstones)
	o.finish()
	storetest.Accepted(t, o.server(), o.host, before, records)
}

// Spans and receipts of before are refused too, whether or not there is something newer.
func TestSpansAndReceiptsOfBeforeAreRefused(t *testing.T) {
	o := newOffice(t)
	o.erase("anna-1")
	for round := range 2 {
		later := night("anna-1")
		later.Start, later.End = noon.Add(time.Minute), noon.Add(time.Hour)
		w, err := o.NotCollected.Write(t.Context(), o.host, []api.NotCollected{night("anna-1"), later})
		if err != nil || fmt.Sprint(w.Erased) != "[0]" || w.Accepted != round || len(w.Unknown) != 1-round {
			t.Errorf("%+v %v", w, err)
		}
		if err := o.Policies.AddReceipt(t.Context(), o.host, "anna-1", "00", noon.Add(-time.Minute)); err == nil {
			t.Error("a receipt of before was kept")
		}
		storetest.Accepted(t, o.Store, o.host, []api.Event{{MachineID: "anna-1", Timestamp: noon.Add(time.Minute)}}, 1-round)
	}
	o.must(o.Policies.AddReceipt(t.Context(), o.host, "anna-1", "00", noon.Add(time.Minute)))
}

// Erasing while others write leaves nothing of before, and sums that are exact.
func TestEraseWhileRecordsAreWritten(t *testing.T) {
	o := newOffice(t)
	servers := []*storetest.Store{o.Store, o.server()}
	keys := o.keys("anna-1")
	var writers sync.WaitGroup
	begun := make(chan struct{}, 1000)
	for w := range 4 {
		writers.Go(func() {
			for i := range 50 {
				// Half of them are of compacted times.
				at := noon.Add(-time.Duration(i%2*40*24*60+1000+w*100+i) * time.Minute)
				e := api.Event{MachineID: fmt.Sprintf("anna-%d", 1+i%2), Timestamp: at, KeyCount: 1, ActiveWindow: "late of anna"}
				if _, err := servers[w%2].WriteEvents(t.Context(), storetest.Batch{Host: o.host, Events: []api.Event{e}}); err != nil {
					t.Error(err)
				}
				begun <- struct{}{}
			}
		})
	}
	for range 20 {
		<-begun
	}
	o.erase("anna-1")
	writers.Wait()
	o.finish()
	storetest.Exact(t, o.Store, 2*records)
	if p := o.person("anna-1"); !reflect.DeepEqual(p, people.Person{}) {
		t.Errorf("%+v", p)
	}
	o.gone("anna", keys)
}

// A title that others have, or get while titles are deleted, stays, whatever servers
// remember.
func TestTitlesThatOthersHaveStay(t *testing.T) {
	o := newOffice(t)
	other := o.server()
	// It remembers anna's titles.
	storetest.Accepted(t, other, o.host, past("anna", "anna-1"), 0)
	o.erase("anna-1")
	title := func(s *storetest.Store, id string, minute int) {
		t.Helper()
		e := api.Event{MachineID: id, Timestamp: noon.Add(-time.Duration(minute) * time.Second), ActiveApp: "app", ActiveWindow: "title 0 of anna"}
		storetest.Accepted(t, s, o.host, []api.Event{e}, 1)
	}
	title(other, "clara", 10) // an old number
	o.must(o.Erasures.Finish(t.Context()))
	title(other, "clara", 20)
	title(o.Store, "clara", 30)
	o.erase("boris-1")
	o.finish()
	title(other, "clara", 40)
	got := storetest.Told(t, o.Store, "clara", noon.Add(-time.Hour), noon, 10)
	if len(got) != 4 || strings.Count(strings.Join(got, "\n"), "title 0 of anna") != 4 {
		t.Errorf("%v", got)
	}
	if n := storetest.Ask[int](t, o.url, "SELECT count(*) FROM title"); n != 2 {
		t.Errorf("%d titles are left: the old number's, and the new one's are in use", n)
	}
}

// Rows that nobody can read keep no titles; titles of the others stay, and it is written
// down.
func TestTitlesPastUnreadableRows(t *testing.T) {
	o := newOffice(t)
	conn := storetest.Connect(t, o.url)
	for table, key := range map[string]string{"event": "ts", "event_hour": "first_ts"} {
		tag, err := conn.Exec(t.Context(), "UPDATE "+table+" SET body = '\\xfe' WHERE ("+key+", machine) = (SELECT "+key+", machine FROM "+table+" WHERE machine = $1 ORDER BY "+key+" LIMIT 1)", o.keys("boris-1")[0])
		if o.must(err); tag.RowsAffected() != 1 {
			t.Fatal(table, tag)
		}
	}
	e := api.Event{MachineID: "clara", Timestamp: noon.Add(-time.Second), ActiveApp: "app", ActiveWindow: "title 0 of anna"}
	storetest.Accepted(t, o.Store, o.host, []api.Event{e}, 1)
	c := o.erase("anna-1")
	o.finish()
	c, err := o.Erasures.ByID(t.Context(), c.ID)
	if err != nil || c.GoneAt == nil || c.Titles == 0 {
		t.Errorf("%+v %v", c, err)
	}
	if n := storetest.Ask[int](t, o.url, "SELECT count(*) FROM title WHERE name LIKE '%of anna%'"); n != 1 {
		t.Errorf("%d titles of hers are left, want the one that clara has", n)
	}
	examined, err := o.Inspector.Examine(t.Context())
	if err != nil || examined.Unreadable.Times == 0 || time.Since(examined.Unreadable.Last) > time.Hour {
		t.Errorf("%+v %v", examined.Unreadable, err)
	}
}

// Titles are retired while records with them are written all the time: none is lost.
func TestTitlesWhileRecordsAreWritten(t *testing.T) {
	o := newOffice(t)
	servers := []*storetest.Store{o.Store, o.server()}
	var writers sync.WaitGroup
	stop := make(chan struct{})
	var written [4]int
	for w := range written {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				e := api.Event{MachineID: fmt.Sprintf("clara-%d", w), Timestamp: noon.Add(-time.Duration(i) * time.Second), ActiveApp: "app", ActiveWindow: fmt.Sprintf("title %d of anna", i%3)}
				if _, err := servers[w%2].WriteEvents(t.Context(), storetest.Batch{Host: o.host, Events: []api.Event{e}}); err != nil {
					t.Error(err)
				}
				written[w] = i + 1
			}
		})
	}
	o.erase("anna-1")
	for {
		err := o.Erasures.Finish(t.Context())
		if err == nil {
			break
		}
		if !erasure.Busy(err) {
			t.Fatal(err)
		}
	}
	close(stop)
	writers.Wait()
	for w, n := range written {
		got := strings.Join(storetest.Told(t, o.Store, fmt.Sprintf("clara-%d", w), noon.AddDate(0, 0, -10), noon.Add(time.Hour), 1000), "\n")
		if titles := strings.Count(got, "of anna"); titles != n {
			t.Errorf("%d of %d records have their title", titles, n)
		}
	}
}
