package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// Where there are as many groups as there may be, another is refused, and one that
// exists is still there.
func TestGroupsAreLimited(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b := servertest.New(t, databaseURL)
	admin := b.Token(directory.RoleAdmin)
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "INSERT INTO machine_group (name) SELECT 'g' || n FROM generate_series(1, $1::int) n", directory.MaxGroups); err != nil {
		t.Fatal(err)
	}
	b.Do(http.MethodPut, "/api/groups/more", admin, nil).Refused(http.StatusConflict, api.CodeTooManyGroups)
	b.Do(http.MethodPut, "/api/groups/g7", admin, nil).Wants(http.StatusOK, nil)
}
