package erasure_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/erasure"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/screenshots"
	"activity-tracker.example/server/internal/store/storetest"
)

// noon is when the tests begin.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// records is how many records each account has.
const records = 60

// office is a database with two people of two accounts each, whose every text has their
// name in it.
type office struct {
	*storetest.Store
	t   *testing.T
	url string
	// pictures is the folder of their files.
	pictures string
	host     int64
	after    atomic.Int64
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, url: storetest.NewDatabase(t), pictures: t.TempDir()}
	o.Store = o.server()
	o.host = storetest.AddHost(t, o.Store)
	for _, name := range []string{"anna", "boris"} {
		o.add(name)
	}
	// Each was in both groups, and had the other's account, for a while.
	o.join("boris-1", "anna-2")
	o.join("anna-1", "anna-2")
	keys := append(o.keys("anna-1"), o.keys("boris-1")...)
	for _, set := range [][]int32{keys, keys[:1], keys[:2], keys[2:], keys[3:]} {
		o.look("of", set...)
	}
	storetest.Compact(t, o.Store)
	if _, err := o.PackRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o
}

// server returns another server on the same database; all have one clock.
func (o *office) server() *storetest.Store {
	return storetest.Prepared(o.t, o.url, storetest.Options{
		CompactAfter: storetest.CompactDays * 24 * time.Hour, Now: func() time.Time { return noon.Add(time.Duration(o.after.Load())) },
		Screenshots: screenshots.Options{Dir: o.pictures},
	})
}

// wait puts the clock forward.
func (o *office) wait(d time.Duration) { o.after.Add(int64(d)) }

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// add adds a person with all that there can be about them.
func (o *office) add(name string) {
	o.t.Helper()
	ctx, accounts := o.t.Context(), []string{name + "-1", name + "-2"}
	for _, id := range accounts {
		storetest.Accepted(o.t, o.Store, o.host, past(name, id), records)
		o.must(o.Policies.AddReceipt(ctx, o.host, id, fmt.Sprintf("%x", "notice"), noon))
		w, err := o.NotCollected.Write(ctx, o.host, []api.NotCollected{night(id)})
		if err != nil || w.Accepted != 1 {
			o.t.Fatal(w, err)
		}
		_, _, err = o.Screenshots.Add(ctx, &screenshots.NewScreenshot{Host: o.host, MachineID: id, TakenAt: noon.Add(-time.Hour), Kind: policy.Blurred, Picture: []byte(id)})
		o.must(err)
		o.explain(name, id)
		_, err = o.SetLabel(ctx, directory.Scope{}, id, "label of "+name)
		o.must(err)
	}
	for _, names := range [][]string{{name, "clara"}, {"clara"}} { // the second holds
		_, err := o.Policies.Add(ctx, policies.Draft{Author: "test", Policy: policy.Document{ExcludeUsers: names}}, nil)
		o.must(err)
	}
	o.join(accounts[0], accounts[1])
	_, err := o.People.SetLabel(ctx, directory.Scope{}, o.person(accounts[0]).ID, "called "+name)
	o.must(err)
	for _, group := range []string{"first", "second"} {
		_, _, err = o.AddGroup(ctx, group)
		o.must(err)
	}
	o.must(o.AddMember(ctx, "first", accounts[0]))
	o.must(o.People.AddToGroup(ctx, "second", o.person(accounts[0]).ID))
}

// explain writes a note of an account, which is answered.
func (o *office) explain(name, id string) {
	o.t.Helper()
	m, err := o.MachineByID(o.t.Context(), directory.Scope{}, id)
	o.must(err)
	person := o.person(id)
	n, _, err := o.Notes.Add(o.t.Context(), &notes.Draft{
		Scope: directory.OfMachines([]int32{m.Key}), Person: person.ID, Start: noon.Add(-time.Hour), End: noon, Text: "note of " + name,
	})
	o.must(err)
	key, err := notes.ParseID(n.ID)
	o.must(err)
	o.must(o.Notes.Answer(o.t.Context(), &notes.Reply{Person: person.ID, Note: key, Text: "answer to " + name, By: "user usr_x"}))
}

// past are records of an account of the last month; some titles all have.
func past(name, id string) []api.Event {
	var list []api.Event
	for i := range records {
		list = append(list, api.Event{
			MachineID: id, Timestamp: noon.AddDate(0, 0, -i/2).Add(-time.Duration(1+i%2) * time.Minute), KeyCount: 1, Username: name,
			ActiveApp: "app", ActiveWindow: fmt.Sprintf("title %d of %s", i/2, name),
			Focus: []api.Focus{{App: "app", Title: "of " + id, Seconds: 10}, {App: "app", Title: fmt.Sprintf("of all, %d", i%5), Seconds: 5}},
		})
	}
	return list
}

func night(id string) api.NotCollected {
	return api.NotCollected{MachineID: id, Start: noon.AddDate(0, 0, -1), End: noon.AddDate(0, 0, -1).Add(time.Hour), Reason: api.NotCollectedHours}
}

func (o *office) join(to, account string) {
	o.t.Helper()
	_, err := o.People.Join(o.t.Context(), o.person(to).ID, []string{account})
	o.must(err)
}

// look writes down that somebody looked at accounts.
func (o *office) look(reader string, keys ...int32) {
	o.t.Helper()
	o.must(o.Access.Write(o.t.Context(), access.Look{
		Reader: access.Reader{Kind: access.Token, ID: fmt.Sprint(reader, keys), Name: "reader"}, What: api.LookedEvents, Machines: access.SetOf(keys...),
	}))
}

// person returns whose an account is; nobody's where there is none.
func (o *office) person(machineID string) people.Person {
	o.t.Helper()
	list, err := o.People.List(o.t.Context(), people.Filter{MachineID: machineID, Limit: 1})
	o.must(err)
	if len(list) == 0 {
		return people.Person{}
	}
	return list[0]
}

func (o *office) keys(machineID string) []int32 {
	o.t.Helper()
	p := o.person(machineID)
	return p.Keys()
}

// erase erases the person of an account.
func (o *office) erase(machineID string) erasure.Certificate {
	o.t.Helper()
	c, err := o.Erasures.Erase(o.t.Context(), o.person(machineID).ID)
	o.must(err)
	return c
}

// told is all that is answered about a person of two accounts.
func (o *office) told(name string) string {
	o.t.Helper()
	from, to := noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)
	person := o.person(name + "-1")
	all := o.printed(person)
	for _, id := range []string{name + "-1", name + "-2"} {
		m, err := o.MachineByID(o.t.Context(), directory.Scope{}, id)
		o.must(err)
		spans, err := o.Activity(o.t.Context(), directory.Scope{}, id, []time.Time{from, to}, 5)
		o.must(err)
		all += o.printed(m) + o.printed(spans) + o.printed(storetest.Told(o.t, o.Store, id, from, to, 50))
	}
	looks, err := o.Access.Of(o.t.Context(), person.Keys(), 1<<62, 100)
	o.must(err)
	written, _, err := o.Notes.OfMachines(o.t.Context(), person.Keys(), notes.Place{})
	o.must(err)
	return all + o.printed(looks) + o.printed(written)
}

func (o *office) printed(v any) string {
	o.t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	o.must(err)
	return string(b) + "\n"
}

// finish deletes all that is left.
func (o *office) finish() {
	o.t.Helper()
	o.must(o.Erasures.Finish(o.t.Context()))
	o.wait(erasure.Settle)
	o.must(o.Erasures.Finish(o.t.Context()))
}

// picturesOf returns how many files of pictures there are of a person of two accounts.
func (o *office) picturesOf(name string) (n int) {
	o.t.Helper()
	o.must(filepath.WalkDir(o.pictures, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		picture, err := os.ReadFile(path)
		if strings.HasPrefix(string(picture), name) {
			n++
		}
		return err
	}))
	return n
}

// columnsOf returns every table, without partitions, and whether it has a column machine.
func (o *office) columnsOf() map[string]bool {
	o.t.Helper()
	rows, err := storetest.Connect(o.t, o.url).Query(o.t.Context(), `SELECT c.relname::text, bool_or(a.attname = 'machine')
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY 1`)
	o.must(err)
	tables := map[string]bool{}
	var table string
	var machine bool
	_, err = pgx.ForEachRow(rows, []any{&table, &machine}, func() error {
		tables[table] = machine
		return nil
	})
	o.must(err)
	return tables
}

// gone checks that a person, of whom these are the accounts' rows, is in no table any more.
func (o *office) gone(name string, keys []int32) {
	o.t.Helper()
	if n := o.picturesOf(name); n > 0 {
		o.t.Errorf("%d pictures of %s are there", n, name)
	}
	for table, machine := range o.columnsOf() {
		where := fmt.Sprintf("t::text ILIKE '%%%s%%' OR t::text LIKE '%%%x%%'", name, name)
		if machine {
			where += fmt.Sprintf(" OR machine IN (%d, %d)", keys[0], keys[1])
		}
		switch table {
		case "access_set":
			where = fmt.Sprintf("get_bit(machines, %d) + get_bit(machines, %d) > 0", keys[0], keys[1])
		case "erasure_machine", "erasure_title", "erasure_file":
			where = "true"
		}
		if n := storetest.Ask[int](o.t, o.url, "SELECT count(*) FROM "+table+" t WHERE "+where); n > 0 {
			o.t.Errorf("%d rows of %s have something of %s", n, table, name)
		}
	}
}

// Every table is erased or stands there with a reason, and no other does.
func TestEveryTableIsErasedOrExcused(t *testing.T) {
	o := &office{t: t, url: storetest.NewDatabase(t)}
	o.server()
	known := erasure.Tables()
	for table, machine := range o.columnsOf() {
		fate := known[table]
		if (fate.Erased == "") == (fate.Stays == "") {
			t.Errorf("%s: Tables must have when a person's rows go, or why none do", table)
		}
		if machine && fate.Erased == "" {
			t.Errorf("%s has rows of accounts, which must go", table)
		}
		delete(known, table)
	}
	for table := range known {
		t.Errorf("there is no table %s", table)
	}
}
