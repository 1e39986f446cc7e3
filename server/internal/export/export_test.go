package export_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/export"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/dossier"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/screenshots"
	"activity-tracker.example/server/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// office is a database with two people, whose every text has their name in it.
type office struct {
	*storetest.Store
	t    *testing.T
	host int64
}

// recordsOf is how many records each account has.
const recordsOf = 60

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, Store: storetest.Prepared(t, storetest.NewDatabase(t), storetest.Options{
		CompactAfter: storetest.CompactDays * 24 * time.Hour, Now: func() time.Time { return now }, Screenshots: screenshots.Options{Dir: t.TempDir()},
	})}
	o.host = storetest.AddHost(t, o.Store)
	for _, name := range []string{"anna", "boris"} {
		o.add(name)
	}
	_, err := o.Policies.Add(t.Context(), policies.Draft{Author: "test", Policy: policy.Document{ExcludeUsers: []string{"anna", "boris", "clara"}}}, nil)
	o.must(err)
	// Anna's second account was Boris' for a while.
	o.join("boris-1", "anna-2")
	o.join("anna-1", "anna-2")
	// The older records are compacted, and their sums packed.
	storetest.Compact(t, o.Store)
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// add adds a person with two accounts and all that there can be about them.
func (o *office) add(name string) {
	o.t.Helper()
	ctx := o.t.Context()
	accounts := []string{name + "-1", name + "-2"}
	for _, id := range accounts {
		var events []api.Event
		for i := range recordsOf {
			e := api.Event{MachineID: id, Timestamp: now.AddDate(0, 0, -i/2).Add(-time.Duration(1+i%2) * time.Minute), KeyCount: 1, Username: name}
			e.ActiveApp, e.ActiveWindow = "app of "+name, fmt.Sprintf("title %d of %s", i, name)
			e.Focus = []api.Focus{{App: "focus of " + name, Title: "other title of " + name, Seconds: 10}}
			events = append(events, e)
		}
		storetest.Accepted(o.t, o.Store, o.host, events, recordsOf)
		o.must(o.Policies.AddReceipt(ctx, o.host, id, fmt.Sprintf("%x", "notice of "+name), now))
		night := api.NotCollected{MachineID: id, Start: now.AddDate(0, 0, -1), End: now.AddDate(0, 0, -1).Add(time.Hour), Reason: api.NotCollectedHours}
		w, err := o.NotCollected.Write(ctx, o.host, []api.NotCollected{night})
		if err != nil || w.Accepted != 1 {
			o.t.Fatal(w, err)
		}
		for i, picture := range []string{"picture of ", "deleted one of "} {
			shot, _, err := o.Screenshots.Add(ctx, &screenshots.NewScreenshot{
				Host: o.host, MachineID: id, TakenAt: now.Add(-time.Duration(i) * time.Hour), Kind: policy.Blurred, Picture: []byte(picture + name),
			})
			o.must(err)
			if i > 0 {
				o.must(o.Screenshots.Delete(ctx, shot, screenshots.Deletion{By: "deleter of " + name}))
			}
		}
		o.explain(name, id)
		_, err = o.SetLabel(ctx, directory.Scope{}, id, "label of "+name)
		o.must(err)
	}
	o.join(accounts[0], accounts[1])
	_, err := o.People.SetLabel(ctx, directory.Scope{}, o.person(accounts[0]), "person called "+name)
	o.must(err)
	for _, group := range []string{"group of " + name, "group with " + name} {
		_, _, err := o.AddGroup(ctx, group)
		o.must(err)
	}
	o.must(o.AddMember(ctx, "group of "+name, accounts[0]))
	o.must(o.People.AddToGroup(ctx, "group with "+name, o.person(accounts[0])))
	m, err := o.MachineByID(ctx, directory.Scope{}, accounts[1])
	o.must(err)
	o.must(o.Access.Write(ctx, access.Look{
		Reader: access.Reader{Kind: access.Token, ID: "tok_" + name, Name: "reader of " + name}, What: api.LookedEvents, Machines: access.SetOf(m.Key),
	}))
}

// explain writes a note of an account, which is answered.
func (o *office) explain(name, id string) {
	o.t.Helper()
	m, err := o.MachineByID(o.t.Context(), directory.Scope{}, id)
	o.must(err)
	n, _, err := o.Notes.Add(o.t.Context(), &notes.Draft{
		Scope: directory.OfMachines([]int32{m.Key}), Person: o.person(id), Start: now.Add(-time.Hour), End: now, Text: "=note of " + name,
	})
	o.must(err)
	key, err := notes.ParseID(n.ID)
	o.must(err)
	o.must(o.Notes.Answer(o.t.Context(), &notes.Reply{Person: o.person(id), Note: key, Text: "answered of " + name, By: "user usr_x"}))
}

func (o *office) person(machineID string) int64 {
	o.t.Helper()
	list, err := o.People.List(o.t.Context(), people.Filter{MachineID: machineID, Limit: 1})
	o.must(err)
	return list[0].ID
}

func (o *office) join(to, account string) {
	o.t.Helper()
	_, err := o.People.Join(o.t.Context(), o.person(to), []string{account})
	o.must(err)
}

func (o *office) find(machineID string) *export.Export {
	o.t.Helper()
	x, err := export.Exports{People: o.People, Reader: o.Reader, Dossier: o.Dossier, Looked: looked.NewList(o.Access, o.Audit, o.Directory, o.People), Screenshots: o.Screenshots, Notes: o.Notes}.
		Find(o.t.Context(), directory.Scope{}, report.PersonID(o.person(machineID)))
	o.must(err)
	return x
}

// export returns the files of an export by name.
func (o *office) export(machineID string) map[string]string {
	o.t.Helper()
	var b bytes.Buffer
	o.must(o.find(machineID).Write(o.t.Context(), &b))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	o.must(err)
	all := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		o.must(err)
		text, err := io.ReadAll(r)
		o.must(err)
		all[f.Name] = string(text)
	}
	return all
}

// rows returns those of a file, which must be as many in both forms.
func rows(t *testing.T, files map[string]string, name string) int {
	t.Helper()
	table, err := csv.NewReader(strings.NewReader(files[name+".csv"])).ReadAll()
	if err != nil || len(table) == 0 {
		t.Fatalf("%s: %v", name, err)
	}
	lines := 0
	for d := json.NewDecoder(strings.NewReader(files[name+".jsonl"])); ; lines++ {
		var row map[string]any
		if err := d.Decode(&row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(row) > len(table[0]) {
			t.Errorf("%s: a line has %d fields, the table %d columns", name, len(row), len(table[0]))
		}
	}
	if lines != len(table)-1 {
		t.Errorf("%s: %d lines and %d rows", name, lines, len(table)-1)
	}
	return lines
}

// An export has all that there is of a person, and of another nothing.
func TestExportIsWholeAndOfNobodyElse(t *testing.T) {
	o := newOffice(t)
	pictures := 0
	for name, other := range map[string]string{"anna": "boris", "boris": "anna"} {
		files := o.export(name + "-1")
		for file, text := range files {
			if strings.Contains(text, other) || strings.Contains(text, fmt.Sprintf("%x", other)) {
				at := strings.Index(text, other)
				t.Errorf("%s of %s has something of %s: %.300s", file, name, other, text[max(0, at-200):])
			}
			described := file
			if folder, _, ok := strings.Cut(file, "/"); ok {
				described = folder + "/*.jpg"
				pictures++
				if text != "picture of "+name {
					t.Errorf("%s: %q", file, text)
				}
			}
			if file != "README.txt" && !strings.Contains(files["README.txt"], described) {
				t.Errorf("README.txt tells nothing of %s", file)
			}
		}
		for file, texts := range map[string][]string{
			dossier.FilePerson + ".json": {
				"person called ", "label of ", `"username": "`, "group of ", "group with ", `"host_id": "h"`,
			},
			dossier.FileEvents + ".csv": {"app of ", "title 59 of ", "title 0 of ", "focus of ", "other title of "},
			dossier.FileSums + ".jsonl": {"focus of ", "active_seconds"}, dossier.FileReceipts + ".csv": {"-1,", "-2,"}, dossier.FileNotCollected + ".csv": {"-1,", "-2,", "hours"},
			dossier.FileScreenshots + ".csv": {"-1,", "-2,", "blurred", "deleter of "},
			dossier.FileNotes + ".csv":       {"-1,", "-2,", "'=note of ", "answered of ", "user usr_x"},
			dossier.FileNotes + ".jsonl":     {`"text":"=note of `},
			dossier.FileAccess + ".csv":      {"reader of "}, dossier.FilePolicy + ".csv": {name},
			dossier.FileChanges + ".jsonl": {"person.labelled", "person called ", "person.joined", "machine.labelled", "group.machine_added", "group.person_added", "note.answered"},
		} {
			for _, text := range texts {
				if strings.HasSuffix(text, "of ") || strings.HasSuffix(text, "with ") || strings.HasSuffix(text, "called ") {
					text += name
				}
				if !strings.Contains(files[file], text) {
					t.Errorf("%s of %s lacks %q: %.500s", file, name, text, files[file])
				}
			}
		}
		if n := rows(t, files, dossier.FileEvents); n != 2*recordsOf {
			t.Errorf("%d records", n)
		}
		if events := sumOfEvents(t, files[dossier.FileSums+".jsonl"]); events != 2*recordsOf || rows(t, files, dossier.FileSums) == 0 {
			t.Errorf("sums of %d records", events)
		}
		for file, want := range map[string]int{dossier.FileNotCollected: 2, dossier.FileReceipts: 2, dossier.FileScreenshots: 4, dossier.FileNotes: 2, dossier.FileAccess: 1, dossier.FilePolicy: 1} {
			if n := rows(t, files, file); n != want {
				t.Errorf("%s: %d rows, want %d", file, n, want)
			}
		}
	}
	if pictures != 4 {
		t.Errorf("%d pictures of two people with two accounts of one each", pictures)
	}
}

// What is done with an account that its host calls like a list of others is in the export of
// whose it is, and of nobody who is named in it.
func TestAccountCalledLikeAList(t *testing.T) {
	o := newOffice(t)
	const hostile = "x, boris-1"
	storetest.Accepted(t, o.Store, o.host, []api.Event{{MachineID: hostile, Timestamp: now.Add(-time.Minute), KeyCount: 1}}, 1)
	before := o.export("boris-1")[dossier.FileChanges+".jsonl"]
	o.join("anna-1", hostile)
	if after := o.export("boris-1")[dossier.FileChanges+".jsonl"]; after != before {
		t.Errorf("of boris is said now %s, was %s", after, before)
	}
	if own := o.export("anna-1")[dossier.FileChanges+".jsonl"]; !strings.Contains(own, `"machine_ids":"\"x, boris-1\""`) {
		t.Errorf("of anna is said %s", own)
	}
}

func sumOfEvents(t *testing.T, lines string) (n int64) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(lines)); ; {
		var s dossier.Sum
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
		n += s.Events
	}
}

// Erasing somebody changes nothing in what is exported of others, but the names in who
// changed what.
func TestErasingLeavesOthersExports(t *testing.T) {
	o := newOffice(t)
	both, err := o.MachineByID(t.Context(), directory.Scope{}, "anna-1")
	o.must(err)
	boris, err := o.MachineByID(t.Context(), directory.Scope{}, "boris-1")
	o.must(err)
	o.must(o.Access.Write(t.Context(), access.Look{
		Reader: access.Reader{Kind: access.Token, ID: "tok", Name: "reader"}, What: api.LookedEvents, Machines: access.SetOf(both.Key, boris.Key),
	}))
	before := o.export("boris-1")
	_, err = o.Erasures.Erase(t.Context(), o.person("anna-1"))
	o.must(err)
	for range 2 {
		for file, text := range o.export("boris-1") {
			if file != dossier.FileChanges+".csv" && file != dossier.FileChanges+".jsonl" && text != before[file] {
				t.Errorf("%s is %s, was %s", file, text, before[file])
			}
		}
		o.must(o.Erasures.Finish(t.Context()))
	}
}

// errFull is returned by a disk that is.
var errFull = errors.New("the disk is full")

// disk takes so many bytes.
type disk struct {
	b    bytes.Buffer
	left int
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.left)
	d.b.Write(p[:n])
	if d.left -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

// What was cut short, wherever, is no archive.
func TestCutExportIsNone(t *testing.T) {
	o := newOffice(t)
	x := o.find("anna-1")
	var all bytes.Buffer
	o.must(x.Write(t.Context(), &all))
	for _, left := range []int{0, 1, all.Len() / 3, all.Len() / 2, all.Len() - 1} {
		d := &disk{left: left}
		if err := x.Write(t.Context(), d); !errors.Is(err, errFull) {
			t.Errorf("%d bytes of %d: %v", left, all.Len(), err)
		}
		if _, err := zip.NewReader(bytes.NewReader(d.b.Bytes()), int64(d.b.Len())); err == nil {
			t.Errorf("an archive of %d bytes of %d is taken for whole", left, all.Len())
		}
	}
}
