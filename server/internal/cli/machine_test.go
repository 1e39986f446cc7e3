package cli

import (
	"net/http"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// A host that took another's place reads in the rejection what to do, and after that
// a running server takes its events, and the other's no more.
func TestMachineMove(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b := servertest.New(t, databaseURL)
	old, anew := b.Host("old"), b.Host("new")
	b.Send(old, servertest.Minute("desk", 0))
	got := b.Send(anew, servertest.Minute("desk", 1))
	if len(got.Rejected) != 1 || got.Rejected[0].Code != api.CodeForeignMachine ||
		!strings.Contains(got.Rejected[0].Message, "trackerd-server machine move MACHINE_ID --to new") {
		t.Fatalf("%+v", got)
	}
	out := must(t, "machine", "move", "desk", "--to", "new", "--database-url", databaseURL)
	if !strings.Contains(out, "desk: moved from old to new\n") {
		t.Error(out)
	}
	if got := b.Send(anew, servertest.Minute("desk", 1)); got.Accepted != 1 {
		t.Errorf("the new host: %+v", got)
	}
	if got := b.Send(old, servertest.Minute("desk", 2)); len(got.Rejected) != 1 {
		t.Errorf("the old host: %+v", got)
	}
	var m api.Machine
	b.Do(http.MethodGet, "/api/machines/desk", b.Token(directory.RoleViewer), nil).Wants(http.StatusOK, &m)
	if m.Hostname != "new.example" {
		t.Errorf("it is still shown on %s", m.Hostname)
	}
	if out := must(t, "machine", "move", "desk", "--to", "new", "--json", "--database-url", databaseURL); !strings.Contains(out, `"from": "new"`) {
		t.Error(out)
	}
	wantError(t, "nothing was moved; trackerd-server host list", "machine", "move", "desk", "--to", "none", "--database-url", databaseURL)
	wantError(t, "GET /api/machines shows all", "machine", "move", "desk", "none", "--to", "old", "--database-url", databaseURL)
	wantError(t, "GET /api/machines shows all", "machine", "move", "desk\xff", "--to", "old", "--database-url", databaseURL)
	wantError(t, "want the host_id", "machine", "move", "desk", "--database-url", databaseURL)
}
