package main

import (
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store"
)

// Where there are as many groups as there may be, another is refused, and one that
// exists is still there.
func TestGroupsAreLimited(t *testing.T) {
	databaseURL := newDatabase(t)
	b := newBench(t, databaseURL)
	admin := b.token(store.RoleAdmin)
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "INSERT INTO machine_group (name) SELECT 'g' || n FROM generate_series(1, $1::int) n", store.MaxGroups); err != nil {
		t.Fatal(err)
	}
	b.do(http.MethodPut, "/api/groups/more", admin, nil).refused(http.StatusConflict, api.CodeTooManyGroups)
	b.do(http.MethodPut, "/api/groups/g7", admin, nil).wants(http.StatusOK, nil)
}
