package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/db"
)

// A schema that is newer than the program fails a look at it, in JSON as in words.
func TestDryRunOnANewerSchema(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	servertest.New(t, databaseURL)
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "INSERT INTO schema_migration (version, name) VALUES (999, 'future')"); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{"--json=false": "", "--json": `"version": 999`} {
		var out bytes.Buffer
		cmd := newRoot("development")
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"migrate", "--dry-run", flag, "--database-url", databaseURL})
		err := cmd.ExecuteContext(t.Context())
		if !errors.As(err, new(db.NewerSchemaError)) || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v: %s", flag, err, out.String())
		}
	}
}
