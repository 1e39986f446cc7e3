package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/rooms"
)

// keyless are statements on big tables that need not name a machine, and why. On
// several nodes each asks all of them.
var keyless = []struct{ statement, why string }{
	{`^SELECT machine FROM \w+_default WHERE \w+ < \$1 LIMIT 1$`, "retention of the default partitions, off the request path"},
	{`^SELECT NOT EXISTS \(SELECT 1 FROM \w+_\d+\)$`, "whether a packed month's partition is empty, before it is dropped"},
}

// Big tables could be spread over several nodes by machine: it is in all of their
// keys, and every statement that reads them is about machines that it names. All
// statements are looked at that the whole API and the maintenance really executed.
func TestEveryStatementNamesTheMachine(t *testing.T) {
	t.Parallel()
	cluster := pgtest.StartRecorded(t)
	exerciseAll(t, cluster.URL("postgres"))
	// Partitions that were dropped since are still known by their names.
	big := bigTables(t, cluster.URL("postgres"))
	of := regexp.MustCompile(`^(` + strings.Join(big, "|") + `)(_default|_\d+)?$`)
	seen, used := map[string]int{}, map[string]bool{}
	for _, p := range cluster.Plans() {
		tables, lacking := scans(p.Node, nil, of)
		for _, table := range tables {
			seen[of.FindStringSubmatch(table)[1]]++
		}
		if len(lacking) == 0 {
			continue
		}
		if why := excused(p.Query); why != "" {
			used[why] = true
		} else {
			t.Errorf("%s is read without a machine by: %s", strings.Join(lacking, ", "), p.Query)
		}
	}
	for _, table := range big {
		if seen[table] == 0 {
			t.Errorf("no statement read %s", table)
		}
	}
	if len(used) != len(keyless) {
		t.Errorf("of the exceptions only %v were met", used)
	}
	t.Logf("reads of each table: %v", seen)
}

// excused reports why a statement need not name a machine; empty where it must.
func excused(query string) string {
	query = strings.Join(strings.Fields(query), " ")
	for _, k := range keyless {
		if regexp.MustCompile(k.statement).MatchString(query) {
			return k.why
		}
	}
	return ""
}

// byMachine is a condition that asks for certain machines.
var byMachine = regexp.MustCompile(`\bmachine = |= (\w+\.)?machine\b`)

// scans returns the big tables that a plan reads, and those of them for which
// neither the scan nor a join above it asks for certain machines.
func scans(n pgtest.Node, above []string, big *regexp.Regexp) (read, lacking []string) {
	conditions := slices.Concat(above, []string{n.HashCond, n.MergeCond, n.JoinFilter})
	if big.MatchString(n.Relation) && n.Type != "ModifyTable" {
		read = append(read, n.Relation)
		if !byMachine.MatchString(strings.Join(slices.Concat(conditions, []string{n.IndexCond, n.RecheckCond, n.Filter}), "\n")) {
			lacking = append(lacking, n.Relation)
		}
	}
	for _, below := range n.Plans {
		r, l := scans(below, conditions, big)
		read, lacking = append(read, r...), append(lacking, l...)
	}
	return read, lacking
}

// bigTables lists the tables that grow with the fleet and with time, and checks
// that machine is in their keys and given in every row. Titles grow by month, not
// by machine: they are few, and no statement joins them with events.
func bigTables(t *testing.T, databaseURL string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	rows, err := conn.Query(t.Context(), `SELECT c.relname::text FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
		WHERE c.relname <> 'title' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 2 {
		t.Fatalf("%v, %v", tables, err)
	}
	for _, table := range tables {
		var unique, without int
		var given bool
		err := conn.QueryRow(t.Context(), `
			SELECT count(*), count(*) FILTER (WHERE NOT a.attnum = ANY(i.indkey::int2[])), bool_and(a.attnotnull AND NOT a.atthasdef)
			FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'machine'
			WHERE i.indrelid = $1::regclass AND i.indisunique`, table).Scan(&unique, &without, &given)
		if err != nil || unique == 0 || without > 0 || !given {
			t.Errorf("%s: %d unique indexes, %d of them without machine; given in each row: %v (%v)", table, unique, without, given, err)
		}
	}
	return tables
}

// exerciseAll does all that a server does: every route that asks, and all that
// writes and maintains.
func exerciseAll(t *testing.T, databaseURL string) {
	t.Helper()
	const day = 24 * time.Hour
	b := servertest.New(t, databaseURL)
	token, credential := b.Token(directory.RoleAdmin), b.Host("h")
	today := time.Now().UTC().Truncate(day)
	events := func(back time.Duration, n int) []api.Event {
		var list []api.Event
		for i := range n {
			for _, machine := range []string{"m1", "m2"} {
				e := servertest.Minute(machine, 0)
				e.Timestamp = today.Add(time.Duration(i)*time.Minute - back)
				e.ActiveApp, e.ActiveWindow, e.Username = "app", "title", "u"
				list = append(list, e)
			}
		}
		return list
	}
	maintain := func(s *rooms.Store) {
		t.Helper()
		if _, err := s.Maintain(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.Compact(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.PackRollups(t.Context()); err != nil {
			t.Error(err)
		}
		for _, repair := range []bool{false, true} {
			if _, err := s.CheckRollups(t.Context(), repair); err != nil {
				t.Error(err)
			}
		}
	}
	// The last ones are older than any partition of its own.
	for _, back := range []time.Duration{day, 20 * day, 70 * day, 10 * 365 * day} {
		b.Send(credential, events(back, 20)...)
		b.Send(credential, events(back, 25)...)
	}
	maintain(b.Store)
	// Late ones, for days that have been compacted by now.
	for _, back := range []time.Duration{20 * day, 70 * day} {
		b.Send(credential, events(back, 30)...)
	}
	askAll(b, token, today)
	spoil(t, databaseURL)
	maintain(b.Store)
	shorter, err := rooms.Open(t.Context(), databaseURL, rooms.Options{
		Log: slog.New(slog.DiscardHandler), Keep: partition.Retention{Events: 10 * day, Titles: 10 * day, Rollups: 30 * day},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer shorter.Close()
	if err := shorter.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	maintain(shorter)
	if _, err := b.Store.Erasures.Erase(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := b.Store.Erasures.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}

// askAll asks every GET route that openapi.json describes.
func askAll(b *servertest.Bench, token string, today time.Time) {
	b.T.Helper()
	person := strings.NewReplacer("{person}", "1", "{group}", "g")
	var description struct {
		Paths map[string]map[string]json.RawMessage
	}
	b.Do(http.MethodGet, "/api/openapi.json", "", nil).Wants(200, &description)
	b.Do(http.MethodPatch, "/api/machines/m1", token, api.MachinePatch{UserLabel: new("label")}).Wants(200, nil)
	date := func(days int) string { return today.AddDate(0, 0, days).Format(time.DateOnly) }
	asked := 0
	for path, methods := range description.Paths {
		if _, ok := methods["get"]; !ok || strings.Contains(path, "/live") {
			continue
		}
		path = person.Replace(path)
		path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "m1")
		for _, back := range []int{-1, -70} {
			for _, format := range []string{"json", "csv"} {
				q := url.Values{
					"date": {date(back)}, "tz": {"Europe/Moscow"}, "from": {date(back)}, "to": {date(back + 1)}, "by": {"day"},
					"start": {date(back) + "T00:00:00Z"}, "end": {date(back+1) + "T00:00:00Z"}, "format": {format},
				}
				r := b.Do(http.MethodGet, path+"?"+q.Encode(), token, nil)
				if r.Status >= 500 {
					b.T.Errorf("%s: %d %s", r.What, r.Status, r.Body)
				}
				asked++
			}
		}
	}
	if asked < 20 {
		b.T.Errorf("only %d questions", asked)
	}
}

// spoil damages a roll-up, so that there is something to repair.
func spoil(t *testing.T, databaseURL string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var machine int32
	if err := conn.QueryRow(t.Context(), "SELECT min(id) FROM machine").Scan(&machine); err != nil {
		t.Fatal(err)
	}
	tag, err := conn.Exec(t.Context(), "UPDATE rollup SET key_count = key_count + 1 WHERE machine = $1", machine)
	if err != nil || tag.RowsAffected() == 0 {
		t.Fatal(fmt.Sprint(tag, " ", err))
	}
}
