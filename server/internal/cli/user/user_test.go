package user_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/user"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/self"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/users"
)

// A user is tied to a person by id or by an account, untied, and both are shown and
// written down; accounts that they opened are shown as such.
func TestTies(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, storetest.NewDatabase(t), partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	var events []api.Event
	for _, id := range []string{"vm-1", "vm-2"} {
		events = append(events, api.Event{MachineID: id, Timestamp: now.Add(-time.Hour)})
	}
	storetest.Accepted(t, s, host, events, 2)
	invited, err := s.Users.Invite(t.Context(), "anna", users.Access{Role: directory.RoleViewer}, users.Invitation{ID: "inv_1", Hash: []byte("hash"), ExpiresAt: now.AddDate(10, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	run := func(args string) string {
		t.Helper()
		cmd := user.Command(func(cmd *cobra.Command, do func(context.Context, *rooms.Store) error) error {
			return do(cmd.Context(), s)
		}, user.Inviting{AddFlags: func(*pflag.FlagSet) {}})
		var out bytes.Buffer
		cmd.SetArgs(strings.Fields(args))
		cmd.SetOut(&out)
		if err := cmd.ExecuteContext(audit.As(t.Context(), audit.Actor{Kind: audit.Command, ID: "0", Name: "root"})); err != nil {
			t.Fatal(args, err)
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	for _, step := range [][2]string{
		{"tie anna p2", "anna: viewer, invited, logins: 0, is p2"},
		{"disable anna", "anna: viewer, disabled, logins: 0, is p2"},
		{"tie anna vm-1", "anna: viewer, disabled, logins: 0, is p1"},
		{"untie anna", "anna: viewer, disabled, logins: 0"},
	} {
		if got := run(step[0]); got != step[1] {
			t.Errorf("%s: %s, want %s", step[0], got, step[1])
		}
	}
	if got := run("list"); !strings.Contains(got, " nobody all machines") {
		t.Error(got)
	}
	if err := s.Self.Make(t.Context(), host, "vm-2", self.Link{ID: "self_1", Hash: []byte("hash")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Self.TieAccount(t.Context(), invited.ID, "self_1", func([]byte) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if got := run("list"); !strings.Contains(got, " p2: vm-2 all machines") {
		t.Error(got)
	}
	if got := run("list --json"); !strings.Contains(got, `"person": "p2", "accounts": [ "vm-2" ]`) {
		t.Error(got)
	}
	changes, err := s.Audit.List(t.Context(), 1<<62, 10)
	if err != nil || len(changes) < 3 || changes[1].What != "user.untied" || changes[2].What != "user.tied" || changes[2].ActorKind != audit.Command {
		t.Errorf("%+v %v", changes, err)
	}
}
