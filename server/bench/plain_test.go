package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"activity-tracker.example/server/api"
)

// nothing reads a body and answers.
func nothing(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answerPlain(w, 0, 0)
}

func answerPlain(w http.ResponseWriter, accepted, duplicates int) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(api.IngestReply{Accepted: accepted, Duplicates: duplicates, Rejected: []api.Rejection{}})
}

// plain is the plain design: a table of the contract's fields with an id, a
// unique key and two indexes, and one multi-row INSERT … ON CONFLICT for each
// request. It checks no credential and no field and keeps no roll-ups.
type plain struct {
	pool *pgxpool.Pool
}

func makePlainTable(b *testing.B, conn *connection) {
	b.Helper()
	conn.run(b, `CREATE TABLE plain (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, machine_id text NOT NULL, ts timestamptz NOT NULL,
		key_count bigint, mouse_clicks bigint, mouse_distance_px bigint, scroll_count bigint,
		active_window text, active_app text, is_idle boolean,
		cpu_percent float8, ram_used_percent float8, disk_used_percent float8,
		active_seconds float8, connected boolean, session_kind text, focus jsonb, username text,
		UNIQUE (machine_id, ts));
		CREATE INDEX ON plain (ts); CREATE INDEX ON plain (machine_id)`)
}

// ServeHTTP takes a batch.
func (p plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var batch api.EventBatch
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sql, args := plainInsert(batch.Events)
	done, err := p.pool.Exec(r.Context(), sql, args...)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	accepted := int(done.RowsAffected())
	answerPlain(w, accepted, len(batch.Events)-accepted)
}

func plainInsert(events []api.Event) (string, []any) {
	const columns = 17
	var sql strings.Builder
	sql.WriteString(`INSERT INTO plain (machine_id, ts, key_count, mouse_clicks, mouse_distance_px, scroll_count,
		active_window, active_app, is_idle, cpu_percent, ram_used_percent, disk_used_percent,
		active_seconds, connected, session_kind, focus, username) VALUES `)
	args := make([]any, 0, columns*len(events))
	for i := range events {
		e := &events[i]
		for j := range columns {
			sep := ","
			if j == 0 && i > 0 {
				sep = "),("
			} else if j == 0 {
				sep = "("
			}
			fmt.Fprintf(&sql, "%s$%d", sep, columns*i+j+1)
		}
		args = append(args, e.MachineID, e.Timestamp, e.KeyCount, e.MouseClicks, e.MouseDistancePx, e.ScrollCount,
			e.ActiveWindow, e.ActiveApp, e.IsIdle, e.CPUPercent, e.RAMUsedPercent, e.DiskUsedPercent,
			e.ActiveSeconds, e.Connected, string(e.SessionKind), e.Focus, e.Username)
	}
	sql.WriteString(") ON CONFLICT (machine_id, ts) DO NOTHING")
	return sql.String(), args
}
