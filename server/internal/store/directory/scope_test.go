package directory_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// makeGroups makes groups, each with these machines.
func makeGroups(t *testing.T, s *storetest.Store, groups map[string][]string) {
	t.Helper()
	for name, machines := range groups {
		if _, made, err := s.AddGroup(t.Context(), name); err != nil || !made {
			t.Fatal(made, err)
		}
		if n, unknown, err := s.SetMembers(t.Context(), name, machines); err != nil || len(unknown) > 0 || n != len(machines) {
			t.Fatal(n, unknown, err)
		}
	}
}

// scopeOf is the scope of a token that is limited to these groups.
func scopeOf(t *testing.T, s *storetest.Store, groups ...string) directory.Scope {
	t.Helper()
	id := fmt.Sprint("tok", time.Now().UnixNano())
	if err := s.AddToken(t.Context(), directory.Token{ID: id, Name: "x", Role: directory.RoleViewer, Limited: true, Groups: groups}, []byte{1}); err != nil {
		t.Fatal(err)
	}
	token, _, err := s.TokenByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return token.Scope()
}

func idsOf(list []directory.Machine) string {
	var ids []string
	for _, m := range list {
		ids = append(ids, m.MachineID)
	}
	return strings.Join(ids, " ")
}

func TestScope(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, storetest.NewDatabase(t), partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	var events []api.Event
	for i := range 6 {
		events = append(events, api.Event{MachineID: fmt.Sprintf("m%d", i), Timestamp: now, KeyCount: 1})
	}
	if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil {
		t.Fatal(err)
	}
	makeGroups(t, s, map[string][]string{"a": {"m1", "m2", "m3"}, "b": {"m3", "m4"}, "none": {}})
	ab, none, gone := scopeOf(t, s, "a", "b"), scopeOf(t, s, "none"), scopeOf(t, s, "a")
	for _, test := range []struct {
		name   string
		filter directory.MachineFilter
		want   string
		err    error
	}{
		{"all", directory.MachineFilter{}, "m0 m1 m2 m3 m4 m5", nil},
		{"later", directory.MachineFilter{After: "m3"}, "m4 m5", nil},
		{"group", directory.MachineFilter{Group: "b"}, "m3 m4", nil},
		{"empty group", directory.MachineFilter{Group: "none"}, "", nil},
		{"no group", directory.MachineFilter{Group: "c"}, "", directory.ErrNoGroup},
		{"one", directory.MachineFilter{MachineID: "m0"}, "m0", nil},
		{"one, earlier", directory.MachineFilter{MachineID: "m0", After: "m0"}, "", nil},
		{"no such", directory.MachineFilter{MachineID: "m"}, "", nil},
		{"one of group", directory.MachineFilter{MachineID: "m4", Group: "b"}, "m4", nil},
		{"one of another group", directory.MachineFilter{MachineID: "m1", Group: "b"}, "", nil},
		{"limited", directory.MachineFilter{Scope: ab}, "m1 m2 m3 m4", nil},
		{"limited, later", directory.MachineFilter{Scope: ab, After: "m2"}, "m3 m4", nil},
		{"limited, page", directory.MachineFilter{Scope: ab, After: "m1", Limit: 2}, "m2 m3", nil},
		{"limited, group", directory.MachineFilter{Scope: ab, Group: "b"}, "m3 m4", nil},
		{"limited, foreign group", directory.MachineFilter{Scope: ab, Group: "none"}, "", directory.ErrNoGroup},
		{"limited, one", directory.MachineFilter{Scope: ab, MachineID: "m4"}, "m4", nil},
		{"limited, foreign one", directory.MachineFilter{Scope: ab, MachineID: "m5"}, "", nil},
		{"empty scope", directory.MachineFilter{Scope: none}, "", nil},
		{"nothing", directory.MachineFilter{Scope: directory.Nothing()}, "", nil},
		{"nothing, one", directory.MachineFilter{Scope: directory.Nothing(), MachineID: "m1"}, "", nil},
	} {
		if test.filter.Limit == 0 {
			test.filter.Limit = 10
		}
		list, err := s.Machines(t.Context(), test.filter)
		if idsOf(list) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %s %v", test.name, idsOf(list), err)
		}
	}
	// Every way to a machine heeds the scope.
	for machine, want := range map[string]error{"m4": nil, "m5": db.ErrNotFound, "m6": db.ErrNotFound} {
		for name, do := range map[string]func(context.Context) error{
			"machine":  func(ctx context.Context) error { _, err := s.MachineByID(ctx, ab, machine); return err },
			"label":    func(ctx context.Context) error { _, err := s.SetLabel(ctx, ab, machine, "x"); return err },
			"events":   func(ctx context.Context) error { _, err := s.Events(ctx, ab, machine, now, now, 1); return err },
			"stream":   func(ctx context.Context) error { return s.EachEvent(ctx, ab, machine, now, now, nil) },
			"activity": func(ctx context.Context) error { _, err := s.Activity(ctx, ab, machine, nil, 1); return err },
		} {
			if err := do(t.Context()); !errors.Is(err, want) || (want == nil) != (err == nil) {
				t.Errorf("%s of %s: %v", name, machine, err)
			}
		}
	}
	// Without its groups a token sees nothing, in particular not everything.
	if err := s.RemoveGroup(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	tokens, err := s.Tokens(t.Context())
	if err != nil || len(tokens) != 3 {
		t.Fatal(tokens, err)
	}
	for _, token := range tokens {
		again, _, err := s.TokenByID(t.Context(), token.ID)
		if err != nil || !token.Limited {
			t.Fatal(token, err)
		}
		for _, scope := range []directory.Scope{again.Scope(), gone} {
			list, err := s.Machines(t.Context(), directory.MachineFilter{Scope: scope, Limit: 10})
			want := ""
			if slices.Contains(token.Groups, "b") && len(scope.Groups) > 0 && scope.Groups[0] != gone.Groups[0] {
				want = "m3 m4"
			}
			if err != nil || idsOf(list) != want {
				t.Errorf("%v: %q %v", token.Groups, idsOf(list), err)
			}
		}
	}
}

func TestTokenWithUnknownGroupIsNotKept(t *testing.T) {
	s := storetest.OpenAt(t, storetest.NewDatabase(t), partition.Retention{}, time.Now())
	makeGroups(t, s, map[string][]string{"a": nil})
	err := s.AddToken(t.Context(), directory.Token{ID: "t", Role: directory.RoleViewer, Limited: true, Groups: []string{"a", "a", "b"}}, []byte{1})
	if !errors.Is(err, directory.ErrNoGroup) || !strings.Contains(err.Error(), `"b"`) {
		t.Error(err)
	}
	if _, _, err := s.TokenByID(t.Context(), "t"); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
	if err := s.AddToken(t.Context(), directory.Token{ID: "t", Role: directory.RoleAdmin, Limited: true}, []byte{1}); err == nil {
		t.Error("an admin is limited")
	}
}

// A page of machines costs the same at the list's end as at its beginning, with a
// group and with a limited token too.
func TestMachinesPageThroughKeys(t *testing.T) {
	const n = 100_000
	url := storetest.NewDatabase(t)
	s := storetest.OpenAt(t, url, partition.Retention{}, time.Now())
	host := storetest.AddHost(t, s)
	conn := storetest.Connect(t, url)
	for _, sql := range []string{
		// Without looking up each foreign key.
		"SET session_replication_role = replica",
		fmt.Sprintf(`INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
			SELECT 'vm-' || lpad(i::text, 6, '0') || '-user', %d, now(), now(), now(), 60, false FROM generate_series(1, %d) i
			ORDER BY hashint4(i)`, host, n),
		`INSERT INTO machine_group (name) SELECT 'g' || i FROM generate_series(1, 5) i`,
		`INSERT INTO group_member (grp, machine_id, machine) SELECT g.id, m.machine_id, m.id FROM machine_group g, machine m WHERE m.id % g.id = 0`,
		`ANALYZE`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	limited := scopeOf(t, s, "g2", "g3", "g5")
	cost := func(f directory.MachineFilter, sql string, args ...any) float64 {
		t.Helper()
		var cost float64
		err := s.Read(t.Context(), "explaining", func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), "EXPLAIN (ANALYZE, BUFFERS) "+sql, args...)
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			plan := strings.Join(lines, "\n")
			if regexp.MustCompile(`Seq Scan on (machine|group_member)\b`).MatchString(plan) {
				t.Errorf("%+v reads whole tables:\n%s", f, plan)
			}
			for _, line := range lines {
				// The first line of buffers is the whole plan's.
				if _, after, ok := strings.Cut(line, "Buffers: shared "); ok && cost == 0 {
					for part := range strings.FieldsSeq(after) {
						kind, count, _ := strings.Cut(part, "=")
						n, err := strconv.Atoi(count)
						if err == nil && (kind == "hit" || kind == "read") {
							cost += float64(n)
						}
					}
				}
			}
			return err
		})
		if err != nil || cost == 0 {
			t.Fatal(cost, err)
		}
		return cost
	}
	last := fmt.Sprintf("vm-%06d-user", n-1001)
	// The groups of a page's machines are read with it.
	membership := func(after string, limit int) float64 {
		t.Helper()
		list, err := s.Machines(t.Context(), directory.MachineFilter{After: after, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		keys := make([]int32, len(list))
		for i, m := range list {
			keys[i] = m.Key
		}
		return cost(directory.MachineFilter{Limit: limit}, directory.MembershipSQL, keys, false, []int32(nil), directory.MaxMembership)
	}
	for _, limit := range []int{101, 1001} {
		for name, pages := range map[string]func(after string) float64{
			"all": func(after string) float64 {
				return cost(directory.MachineFilter{}, directory.MachinesSQL, after, limit)
			},
			"group": func(after string) float64 {
				return cost(directory.MachineFilter{Group: "g1"}, directory.GroupMachinesSQL, after, limit, []int32{1})
			},
			"limited": func(after string) float64 {
				return cost(directory.MachineFilter{Scope: limited}, directory.GroupMachinesSQL, after, limit, limited.Groups)
			},
			"groups of all": func(after string) float64 { return membership(after, limit) },
		} {
			first, end := pages(""), pages(last)
			t.Logf("%s, %d machines: %.0f buffers for the first page, %.0f for the last", name, limit, first, end)
			if end > 1.5*first {
				t.Errorf("%s: the last page reads %.0f buffers, the first %.0f", name, end, first)
			}
		}
	}
	// All pages together hold every machine once.
	seen, after := 0, ""
	for {
		list, err := s.Machines(t.Context(), directory.MachineFilter{Scope: limited, After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.MachineID <= after {
				t.Fatalf("%s after %s", m.MachineID, after)
			}
			after = m.MachineID
		}
		if seen += len(list); len(list) < 1000 {
			break
		}
	}
	if want := storetest.Ask[int](t, url, "SELECT count(*) FROM machine WHERE id % 2 = 0 OR id % 3 = 0 OR id % 5 = 0"); seen != want {
		t.Errorf("%d machines in scope, want %d", seen, want)
	}
}
