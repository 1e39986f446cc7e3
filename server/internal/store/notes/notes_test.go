package notes_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/storetest"
)

var noon = time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)

// office is a database with the accounts anna, anna-2 and boris, each a person of their own.
type office struct {
	*storetest.Store
	t    *testing.T
	url  string
	host int64
}

func newOffice(t *testing.T, keep partition.Retention) *office {
	t.Helper()
	o := &office{t: t, url: storetest.NewDatabase(t)}
	o.Store = storetest.OpenAt(t, o.url, keep, noon)
	o.host = storetest.AddHost(t, o.Store)
	for _, id := range []string{"anna", "anna-2", "boris"} {
		o.send(id, noon)
	}
	return o
}

func (o *office) send(id string, at time.Time) {
	o.t.Helper()
	storetest.Accepted(o.t, o.Store, o.host, []api.Event{{MachineID: id, Timestamp: at, KeyCount: 1}}, 1)
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// of returns whose an account is, and all accounts of theirs as their own.
func (o *office) of(id string) (person int64, own directory.Scope) {
	o.t.Helper()
	list, err := o.People.List(o.t.Context(), people.Filter{MachineID: id, Limit: 1})
	o.must(err)
	if len(list) != 1 {
		o.t.Fatalf("%s: %v", id, list)
	}
	return list[0].ID, directory.OfMachines(list[0].Keys())
}

// draft is a note of the hour before noon about an account.
func (o *office) draft(id, text string) *notes.Draft {
	o.t.Helper()
	person, own := o.of(id)
	return &notes.Draft{Scope: own, Person: person, MachineID: id, Start: noon.Add(-time.Hour), End: noon, Text: text}
}

func (o *office) add(d *notes.Draft) notes.ID {
	o.t.Helper()
	n, _, err := o.Notes.Add(o.t.Context(), d)
	o.must(err)
	id, err := notes.ParseID(n.ID)
	o.must(err)
	return id
}

// texts are those of a person's notes in a scope.
func (o *office) texts(person int64, scope directory.Scope) string {
	o.t.Helper()
	page, err := o.Notes.Of(o.t.Context(), &notes.Filter{Scope: scope, Person: person, From: noon.AddDate(-1, 0, 0), To: noon.AddDate(1, 0, 0), Limit: 100})
	if errors.Is(err, people.ErrNone) {
		return "nobody"
	}
	o.must(err)
	var list []string
	for _, n := range page.Notes {
		list = append(list, n.Text)
	}
	slices.Sort(list) // some begin at once
	return strings.Join(list, " ")
}

// A note is kept once, answered once, and stays as it was read.
func TestNoteAndAnswer(t *testing.T) {
	o := newOffice(t, partition.Retention{})
	d := o.draft("anna", "meeting")
	first, added, err := o.Notes.Add(t.Context(), d)
	if err != nil || !added || first.MadeBy != "self" || first.MachineID != "anna" || !first.Start.Equal(d.Start) || !first.End.Equal(noon) || first.Answer != nil {
		t.Fatalf("%+v %v %v", first, added, err)
	}
	if again, added, err := o.Notes.Add(t.Context(), d); err != nil || added || again.ID != first.ID {
		t.Errorf("%+v %v %v", again, added, err)
	}
	id := o.add(d)
	answer := notes.Reply{Person: d.Person, Note: id, Text: "thank you", By: "token tok_1"}
	for range 2 {
		o.must(o.Notes.Answer(t.Context(), &answer))
	}
	other := answer
	other.Text, other.By = "no", "user usr_1"
	if err := o.Notes.Answer(t.Context(), &other); !errors.Is(err, notes.ErrAnswered) {
		t.Error(err)
	}
	if err := o.Notes.Delete(t.Context(), d.Scope, d.Person, id); !errors.Is(err, notes.ErrAnswered) {
		t.Error(err)
	}
	page, err := o.Notes.Of(t.Context(), &notes.Filter{Person: d.Person, From: d.Start, To: d.End, Limit: 1})
	if err != nil || len(page.Notes) != 1 || page.Partial || page.Next != (notes.Place{}) {
		t.Fatalf("%+v %v", page, err)
	}
	if n := page.Notes[0]; n.Text != "meeting" || *n.Answer != "thank you" || *n.AnsweredBy != "token tok_1" || !n.AnsweredAt.Equal(noon) || n.AnsweredByName != nil {
		t.Errorf("%+v", n)
	}
	// An answer is about these words: the same again are another note.
	if again, added, err := o.Notes.Add(t.Context(), d); err != nil || !added || again.ID == first.ID {
		t.Errorf("%+v %v %v", again, added, err)
	}
	answer.Text = ""
	for range 2 {
		o.must(o.Notes.Answer(t.Context(), &answer))
	}
	o.must(o.Notes.Delete(t.Context(), d.Scope, d.Person, id))
	if err := o.Notes.Delete(t.Context(), d.Scope, d.Person, id); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
	changes, err := o.Audit.List(t.Context(), 1<<62, 2)
	o.must(err)
	var kinds []string
	for _, c := range changes {
		kinds = append(kinds, c.What)
		if *c.Subject != "anna" || c.SubjectID != first.ID || *c.Details != "" {
			t.Errorf("%+v", c)
		}
	}
	if fmt.Sprint(kinds) != "[note.answer_removed note.answered]" {
		t.Error(kinds)
	}
}

// A note goes where its account goes, and is seen, answered and deleted by those alone in
// whose scope that is.
func TestWhoseNotes(t *testing.T) {
	o := newOffice(t, partition.Retention{})
	ctx := t.Context()
	group, _, err := o.AddGroup(ctx, "team")
	o.must(err)
	o.must(o.AddMember(ctx, "team", "anna"))
	team := directory.OfGroups([]int32{group.Key})
	id := o.add(o.draft("anna", "one"))
	second := o.add(o.draft("anna-2", "two"))
	o.add(o.draft("boris", "other"))
	anna, ofAnna := o.of("anna")
	anna2, ofAnna2 := o.of("anna-2")
	boris, ofBoris := o.of("boris")
	check := func(when string, person int64, scope directory.Scope, want string) {
		t.Helper()
		if got := o.texts(person, scope); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	check("apart", anna, team, "one")
	check("apart", anna2, team, "nobody")
	_, err = o.People.Join(ctx, anna, []string{"anna-2"})
	o.must(err)
	check("joined", anna, directory.Scope{}, "one two")
	check("joined, of the group", anna, team, "one")
	check("joined, of one account", anna, ofAnna2, "two")
	check("another's", boris, ofAnna, "nobody")
	if _, _, err := o.Notes.Add(ctx, &notes.Draft{Scope: func() directory.Scope { _, s := o.of("anna"); return s }(), Person: anna, Start: noon.Add(-time.Hour), End: noon, Text: "x"}); !errors.Is(err, notes.ErrWhich) {
		t.Error(err)
	}
	for _, wrong := range []struct {
		scope  directory.Scope
		person int64
		note   notes.ID
	}{
		{team, anna, second}, {ofAnna, anna, second}, {ofBoris, anna, id}, {ofBoris, boris, id}, {directory.Scope{}, boris, id}, {directory.Nothing(), anna, id}, {directory.Scope{}, anna, notes.ID{}},
	} {
		if err := o.Notes.Answer(ctx, &notes.Reply{Scope: wrong.scope, Person: wrong.person, Note: wrong.note, Text: "x", By: "user x"}); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%+v: %v", wrong, err)
		}
		if err := o.Notes.Delete(ctx, wrong.scope, wrong.person, wrong.note); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	for _, wrong := range []*notes.Draft{
		{Scope: ofBoris, Person: boris, MachineID: "anna"},
		{Scope: ofBoris, Person: anna, MachineID: "anna"},
		{Scope: ofBoris, Person: anna},
		{Scope: ofAnna, Person: anna, MachineID: "anna-2"},
		{Scope: directory.Nothing(), Person: anna},
		{Scope: ofAnna, Person: anna, MachineID: "none"},
	} {
		wrong.Start, wrong.End, wrong.Text = noon.Add(-time.Hour), noon, "x"
		if _, _, err := o.Notes.Add(ctx, wrong); !errors.Is(err, notes.ErrNoAccount) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	_, err = o.People.Part(ctx, anna, "anna-2")
	o.must(err)
	check("parted", anna, directory.Scope{}, "one")
	parted, _ := o.of("anna-2")
	check("parted", parted, directory.Scope{}, "two")
}

// Which spans there may be, and how many.
func TestSpans(t *testing.T) {
	o := newOffice(t, partition.Retention{Rollups: 30 * 24 * time.Hour})
	london, err := time.LoadLocation("Europe/London")
	o.must(err)
	day := 24 * time.Hour
	for name, test := range map[string]struct {
		start, end time.Time
		want       error
	}{
		"an hour":               {noon.Add(-time.Hour), noon, nil},
		"a second":              {noon.Add(-time.Second), noon, nil},
		"a day":                 {noon.Add(-day), noon, nil},
		"tomorrow":              {noon.Add(23 * time.Hour), noon.Add(day), nil},
		"as old as it may be":   {noon.Add(-30 * day), noon.Add(-30*day + 1e9), nil},
		"in another zone":       {time.Date(2026, 5, 14, 9, 0, 0, 0, london), time.Date(2026, 5, 14, 10, 0, 0, 0, london), nil},
		"nothing":               {noon, noon, notes.ErrSpan},
		"backwards":             {noon, noon.Add(-time.Second), notes.ErrSpan},
		"too long":              {noon.Add(-day - time.Second), noon, notes.ErrSpan},
		"of all time":           {time.Time{}, noon, notes.ErrSpan},
		"too far ahead":         {noon.Add(day), noon.Add(day + time.Second), notes.ErrAhead},
		"no longer kept":        {noon.Add(-30*day - time.Second), noon.Add(-30 * day), notes.ErrTooOld},
		"the day clocks change": {time.Date(2026, 3, 29, 0, 0, 0, 0, london), time.Date(2026, 3, 30, 0, 0, 0, 0, london), notes.ErrTooOld},
	} {
		d := o.draft("anna", name)
		d.Start, d.End = test.start, test.end
		n, _, err := o.Notes.Add(t.Context(), d)
		if !errors.Is(err, test.want) || err == nil && (!n.Start.Equal(test.start) || !n.End.Equal(test.end)) {
			t.Errorf("%s: %+v %v, want %v", name, n, err, test.want)
		}
	}
	for i := 0; ; i++ {
		d := o.draft("boris", fmt.Sprint(i))
		d.Start = noon.Add(-12 * time.Hour) // midnight
		if _, _, err = o.Notes.Add(t.Context(), d); err != nil {
			if !errors.Is(err, notes.ErrTooMany) || i != 20 {
				t.Errorf("after %d: %v", i, err)
			}
			break
		}
	}
	if _, added, err := o.Notes.Add(t.Context(), o.draft("boris", "noon")); added || !errors.Is(err, notes.ErrTooMany) {
		t.Errorf("of the same day: %v", err)
	}
	d := o.draft("boris", "of the day before")
	d.Start = noon.Add(-12*time.Hour - time.Second)
	if _, added, err := o.Notes.Add(t.Context(), d); !added || err != nil {
		t.Errorf("of the day before: %v", err)
	}
}

// Many are counted one after the other, and read page by page.
func TestManyNotes(t *testing.T) {
	o := newOffice(t, partition.Retention{})
	var writers sync.WaitGroup
	for i := range 40 {
		d := o.draft("anna", fmt.Sprint(i))
		writers.Go(func() {
			if _, _, err := o.Notes.Add(t.Context(), d); err != nil && !errors.Is(err, notes.ErrTooMany) {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if n := storetest.Ask[int](t, o.url, "SELECT count(*) FROM note"); n != 20 {
		t.Errorf("%d notes of a day", n)
	}
	anna, own := o.of("anna")
	o.must(o.DB.Write(t.Context(), "testing", func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO note (id, machine, start_at, end_at, body, made_at)
			SELECT gen_random_uuid(), $1, $2::timestamptz - (1 + i / 7) * interval '1 hour', $2, 'x', $2 FROM generate_series(1, 4980) i`, own.Machines[0], noon.Add(-time.Hour))
		return err
	}))
	d := o.draft("anna", "one more")
	d.Start, d.End = noon.AddDate(-1, 0, 0), noon.AddDate(-1, 0, 0).Add(time.Hour)
	if _, _, err := o.Notes.Add(t.Context(), d); !errors.Is(err, notes.ErrTooMany) {
		t.Error(err)
	}
	// Every span that has a part of the time, none twice, in order.
	f := notes.Filter{Person: anna, From: noon.AddDate(-2, 0, 0), To: noon, Limit: 333}
	seen, last := map[string]bool{}, time.Time{}
	for {
		page, err := o.Notes.Of(t.Context(), &f)
		o.must(err)
		for _, n := range page.Notes {
			if seen[n.ID] || n.Start.Before(last) {
				t.Fatalf("%+v", n)
			}
			seen[n.ID], last = true, n.Start
		}
		if f.After = page.Next; f.After == (notes.Place{}) {
			break
		}
	}
	all, after := 0, notes.Place{}
	for {
		list, next, err := o.Notes.OfMachines(t.Context(), own.Machines, after)
		o.must(err)
		all += len(list)
		if after = next; after == (notes.Place{}) {
			break
		}
	}
	if len(seen) != 5000 || all != 5000 {
		t.Errorf("%d and %d", len(seen), all)
	}
}

// Notes of an account are counted one after the other: of two at once that are one too many
// one is refused.
func TestNotesAtOnce(t *testing.T) {
	o := newOffice(t, partition.Retention{})
	_, own := o.of("anna")
	for i := range 19 {
		o.add(o.draft("anna", fmt.Sprint(i)))
	}
	holder, err := storetest.Connect(t, o.url).Begin(t.Context())
	o.must(err)
	_, err = holder.Exec(t.Context(), "SELECT FROM machine WHERE id = $1 FOR UPDATE", own.Machines[0])
	o.must(err)
	outcomes := make(chan error, 2)
	for i := range 2 {
		d := o.draft("anna", fmt.Sprint("at once ", i))
		go func() {
			_, _, err := o.Notes.Add(t.Context(), d)
			outcomes <- err
		}()
	}
	pgtest.Await(t, "two that wait for the account", func() bool {
		return storetest.Ask[int](t, o.url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 2
	})
	o.must(holder.Commit(t.Context()))
	kept := 0
	for range 2 {
		if err := <-outcomes; err == nil {
			kept++
		} else if !errors.Is(err, notes.ErrTooMany) {
			t.Error(err)
		}
	}
	if kept != 1 {
		t.Errorf("%d were kept", kept)
	}
}

// A time has the notes whose spans have a part of it.
func TestNotesOfATime(t *testing.T) {
	o := newOffice(t, partition.Retention{})
	anna, _ := o.of("anna")
	d := o.draft("anna", "a whole day")
	d.Start = noon.Add(-24 * time.Hour)
	o.add(d)
	o.add(o.draft("anna", "an hour"))
	for _, test := range []struct {
		from, to time.Duration
		want     int
	}{
		{-24 * time.Hour, 0, 2},
		{-time.Second, 0, 2},
		{-time.Hour, -time.Hour + time.Second, 2},
		{-time.Hour - time.Second, -time.Hour, 1},
		{-24 * time.Hour, -24*time.Hour + time.Second, 1},
		{-25 * time.Hour, -24 * time.Hour, 0},
		{0, time.Hour, 0},
	} {
		page, err := o.Notes.Of(t.Context(), &notes.Filter{Person: anna, From: noon.Add(test.from), To: noon.Add(test.to), Limit: 10})
		if err != nil || len(page.Notes) != test.want {
			t.Errorf("%v to %v: %+v %v", test.from, test.to, page, err)
		}
	}
}

// Notes go with what they explain.
func TestOldNotesAreDropped(t *testing.T) {
	o := newOffice(t, partition.Retention{})
	anna, _ := o.of("anna")
	for text, hours := range map[string]int{"old": -50, "at-the-border": -49, "kept": -47} {
		d := o.draft("anna", text)
		d.Start = noon.Add(time.Duration(hours) * time.Hour)
		d.End = d.Start.Add(time.Hour)
		o.add(d)
	}
	o.add(o.draft("anna", "answered"))
	later := storetest.OpenAt(t, o.url, partition.Retention{Rollups: 48 * time.Hour}, noon)
	if _, err := later.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.texts(anna, directory.Scope{}); got != "answered at-the-border kept" {
		t.Error(got)
	}
}

// A note that is written while its person is erased is gone or refused; about the time
// before none can be written after it.
func TestNotesWhilePeopleAreErased(t *testing.T) {
	o := newOffice(t, partition.Retention{})
	servers := []*storetest.Store{o.Store, storetest.OpenAt(t, o.url, partition.Retention{}, noon)}
	d := o.draft("anna", "")
	manager := o.add(o.draft("anna", "to be answered"))
	begun := make(chan struct{}, 1000)
	var writers sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for w := range 4 {
		writers.Go(func() {
			for i := range 50 {
				one := *d
				one.Start, one.Text = noon.Add(-time.Duration(1+i%20)*time.Hour), fmt.Sprint(w, i)
				_, _, err := servers[w%2].Notes.Add(t.Context(), &one)
				if errors.Is(err, notes.ErrNoAccount) {
					mu.Lock()
					refused++
					mu.Unlock()
				} else if err != nil && !errors.Is(err, notes.ErrTooMany) {
					t.Error(err)
				}
				err = servers[w%2].Notes.Answer(t.Context(), &notes.Reply{Person: d.Person, Note: manager, Text: map[bool]string{true: "yes"}[i%2 == 0], By: "user x"})
				if err != nil && !errors.Is(err, db.ErrNotFound) && !errors.Is(err, notes.ErrAnswered) {
					t.Error(err)
				}
				begun <- struct{}{}
			}
		})
	}
	for range 20 {
		<-begun
	}
	c, err := o.Erasures.Erase(t.Context(), d.Person)
	writers.Wait()
	if err != nil || c.Notes == 0 || refused == 0 {
		t.Errorf("%+v %v, %d refused", c, err, refused)
	}
	if n := storetest.Ask[int](t, o.url, "SELECT count(*) FROM note"); n != 0 {
		t.Errorf("%d notes are left", n)
	}
	if n := storetest.Ask[int](t, o.url, "SELECT count(*) FROM audit_text WHERE body = 'anna'"); n != 0 {
		t.Errorf("%d changes name the account", n)
	}
	if again, err := o.Erasures.ByID(t.Context(), c.ID); err != nil || again.Notes != c.Notes {
		t.Errorf("%+v %v", again, err)
	}
	o.send("anna", noon.Add(time.Minute))
	fresh := o.draft("anna", "of before")
	if _, _, err := o.Notes.Add(t.Context(), fresh); !errors.Is(err, notes.ErrErased) {
		t.Error(err)
	}
	fresh.Start, fresh.End = noon.Add(time.Minute), noon.Add(time.Hour)
	o.add(fresh)
}
