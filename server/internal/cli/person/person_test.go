package person

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// The commands do what their help describes, on a database with accounts.
func TestCommands(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, storetest.NewDatabase(t), partition.Retention{}, now)
	var events []api.Event
	for _, id := range []string{"vm-1", "vm-2", "vm-3"} {
		events = append(events, api.Event{MachineID: id, Timestamp: now.Add(-time.Hour), Username: "anna"})
	}
	storetest.Accepted(t, s, storetest.AddHost(t, s), events, 3)
	run := func(in string, args ...string) string {
		t.Helper()
		with := func(cmd *cobra.Command, do func(context.Context, *rooms.Store) error) error {
			return do(cmd.Context(), s)
		}
		cmd := Command(with, with)
		var out bytes.Buffer
		cmd.SetArgs(args)
		cmd.SetIn(strings.NewReader(in))
		cmd.SetOut(&out)
		if err := cmd.ExecuteContext(audit.As(t.Context(), audit.Actor{Kind: audit.Command, ID: "1000", Name: "anna"})); err != nil {
			t.Fatal(args, err)
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	for _, step := range []struct{ in, command, want string }{
		{"", "list", "PERSON LABEL ACCOUNTS MACHINE_IDS p1 1 vm-1 p2 1 vm-2 p3 1 vm-3"},
		{"", "join vm-1 vm-2", "p1 MACHINE_ID HOST USER LAST SEEN vm-1 anna 2026-05-04T11:01:00Z vm-2 anna 2026-05-04T11:01:00Z"},
		{"", "list", "PERSON LABEL ACCOUNTS MACHINE_IDS p1 2 vm-1 vm-2 p3 1 vm-3"},
		{"", "part vm-2", "p2 MACHINE_ID HOST USER LAST SEEN vm-2 anna 2026-05-04T11:01:00Z"},
		{"machine_id,person\nvm-3,Anna\nvm-2,Anna\n", "import -", "people: 1, accounts joined: 1"},
		{"", "show vm-2", "p3 Anna MACHINE_ID HOST USER LAST SEEN vm-2 anna 2026-05-04T11:01:00Z vm-3 anna 2026-05-04T11:01:00Z"},
	} {
		if got := run(step.in, strings.Fields(step.command)...); got != step.want {
			t.Errorf("%s: %s, want %s", step.command, got, step.want)
		}
	}
	if got := run("", "show", "--json", "p3"); !strings.Contains(got, `"label": "Anna"`) || !strings.Contains(got, `"machine_id": "vm-3"`) {
		t.Error(got)
	}
	file := filepath.Join(t.TempDir(), "anna.zip")
	run("", "export", "vm-2", file)
	if z, err := zip.OpenReader(file); err != nil || len(z.File) < 2 {
		t.Error(err)
	} else if err := z.Close(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	wroteDown(t, s)
	listsNotes(t, s, run)
	erases(t, s, run)
}

// listsNotes checks that notes of all accounts of a person are listed, without what steers
// terminals, and that it is written down who looks.
func listsNotes(t *testing.T, s *rooms.Store, run func(in string, args ...string) string) {
	t.Helper()
	if got := run("", "notes", "p3", "--json"); got != "[]" {
		t.Error(got)
	}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	m, err := s.MachineByID(t.Context(), directory.Scope{}, "vm-2")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Notes.Add(t.Context(), &notes.Draft{Scope: directory.OfMachines([]int32{m.Key}), Person: 3, Start: now.Add(-time.Hour), End: now, Text: "a meeting"})
	if err != nil {
		t.Fatal(err)
	}
	if got := run("", "notes", "vm-3"); got != "FROM UNTIL MACHINE_ID NOTE ANSWER 2026-05-04T11:00:00Z 2026-05-04T12:00:00Z vm-2 a meeting" {
		t.Error(got)
	}
	list, err := s.Access.Of(t.Context(), []int32{m.Key}, 1<<62, 1)
	if err != nil || list[0].What != api.LookedNotes || list[0].Kind != access.Command || list[0].Machines != 2 {
		t.Errorf("%+v %v", list, err)
	}
}

// erases checks that a person is erased when it is told so twice, and that the certificate
// names nobody.
func erases(t *testing.T, s *rooms.Store, run func(in string, args ...string) string) {
	t.Helper()
	with := func(cmd *cobra.Command, do func(context.Context, *rooms.Store) error) error {
		return do(cmd.Context(), s)
	}
	cmd, out := Command(with, with), &bytes.Buffer{}
	cmd.SetArgs([]string{"erase", "vm-2"})
	cmd.SetOut(out)
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "--yes") || !strings.Contains(out.String(), "vm-3") {
		t.Error(out, err)
	}
	if got := run("", "erase", "vm-2", "--yes"); !strings.Contains(got, "erasure 1: accounts: 2, unreadable since 2026-05-04T12:00:00Z, gone: not yet") ||
		!strings.Contains(got, "still hold it, until they are deleted") {
		t.Error(got)
	}
	if got := run("", "list"); got != "PERSON LABEL ACCOUNTS MACHINE_IDS p1 1 vm-1" {
		t.Error(got)
	}
	if got := run("", "erasures"); got != "ERASURE ACCOUNTS UNREADABLE SINCE GONE SINCE IN BACKUPS ROWS 1 2 2026-05-04T12:00:00Z not yet until deleted 1" {
		t.Error(got)
	}
	for _, args := range [][]string{{"erasures", "--json"}, {"erase", "vm-1", "--yes", "--json"}} {
		if got := run("", args...); !strings.Contains(got, `"unreadable_since": "2026-05-04T12:00:00Z"`) || strings.Contains(got, "vm-") {
			t.Error(got)
		}
	}
}

// wroteDown checks that it was written down who was shown by a command, and what it
// changed.
func wroteDown(t *testing.T, s *rooms.Store) {
	t.Helper()
	for _, id := range []string{"vm-1", "vm-2", "vm-3"} {
		m, err := s.MachineByID(t.Context(), directory.Scope{}, id)
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.Access.Of(t.Context(), []int32{m.Key}, 1<<62, 10)
		if err != nil || len(list) == 0 || list[0].Reader != (access.Reader{Kind: access.Command, ID: "1000", Name: "anna"}) {
			t.Errorf("%s: %+v %v", id, list, err)
		}
	}
	changes, err := s.Audit.List(t.Context(), 1<<62, 10)
	var got []string
	for _, c := range changes {
		if c.ActorKind == audit.Command {
			got = append(got, c.What)
		}
	}
	if strings.Join(got, " ") != "person.joined person.labelled people.imported person.parted person.joined" {
		t.Error(got, err)
	}
}
