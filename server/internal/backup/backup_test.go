package backup

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// values returns Environment's answer by name.
func values(t *testing.T, databaseURL string) map[string]string {
	t.Helper()
	env, err := Environment(databaseURL)
	if err != nil {
		t.Fatalf("%s: %v", databaseURL, err)
	}
	got := map[string]string{}
	for _, one := range env {
		name, value, _ := strings.Cut(one, "=")
		got[name] = value
	}
	return got
}

func TestEnvironment(t *testing.T) {
	tests := []struct {
		url  string
		want map[string]string
	}{
		{"postgres://u:p%40%2F:x@db.example:5433/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&pool_max_conns=5", map[string]string{
			"PGUSER": "u", "PGPASSWORD": "p@/:x", "PGHOST": "db.example", "PGPORT": "5433", "PGDATABASE": "d",
			"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/ca.pem",
		}},
		{"postgresql://u@a:1,[::1]:2/d", map[string]string{"PGUSER": "u", "PGHOST": "a,::1", "PGPORT": "1,2", "PGDATABASE": "d"}},
		{"postgres:///d?host=%2Frun%2Fa%20b&user=u", map[string]string{"PGHOST": "/run/a b", "PGUSER": "u", "PGDATABASE": "d"}},
		{`host=h user = 'a\'b c' password=x\\y dbname=''`, map[string]string{"PGHOST": "h", "PGUSER": "a'b c", "PGPASSWORD": `x\y`}},
		{"", map[string]string{}},
	}
	for _, test := range tests {
		got := values(t, test.url)
		if len(got) != len(test.want) {
			t.Errorf("%s: %v, want %v", test.url, got, test.want)
		}
		for name, want := range test.want {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q", test.url, name, got[name], want)
			}
		}
	}
	for _, bad := range []string{"postgres://secret%zz@h/d", "secret", "password='secret", `password=secret\`} {
		if env, err := Environment(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", bad, env, err)
		}
	}
}

// Whatever pgx reads from a URL, the programs get.
func FuzzEnvironment(f *testing.F) {
	for _, seed := range []string{
		"postgres://u:p@h:5433/d", "postgres://u@a:1,b:2/d?password=x", "host=h port=5 user='u' password='\\'' dbname=d",
		"postgres:///d?host=/run&user=u", "postgresql://u:p%20q@[::1]:1/d?sslmode=disable",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, databaseURL string) {
		want, err := pgconn.ParseConfig(databaseURL)
		env, ours := Environment(databaseURL)
		// Blanks around names of hosts and the like are nothing that anybody
		// relies on.
		if err != nil || ours != nil || strings.ContainsAny(databaseURL, " \t\n\v\f\r") && strings.HasPrefix(databaseURL, "postgres") {
			return
		}
		for _, one := range env {
			name, value, _ := strings.Cut(one, "=")
			switch name {
			case "PGUSER":
				if value != want.User {
					t.Errorf("%q: user %q, want %q", databaseURL, value, want.User)
				}
			case "PGPASSWORD":
				if value != want.Password {
					t.Errorf("%q: password %q, want %q", databaseURL, value, want.Password)
				}
			case "PGDATABASE":
				if value != want.Database {
					t.Errorf("%q: database %q, want %q", databaseURL, value, want.Database)
				}
			case "PGHOST":
				if first, _, _ := strings.Cut(value, ","); first != "" && first != want.Host {
					t.Errorf("%q: host %q, want %q", databaseURL, value, want.Host)
				}
			case "PGPORT":
				if first, _, _ := strings.Cut(value, ","); first != "" && atoi(first) != int(want.Port) {
					t.Errorf("%q: port %q, want %d", databaseURL, value, want.Port)
				}
			}
		}
	})
}

func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

func TestParseMajor(t *testing.T) {
	for text, want := range map[string]int{
		"pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)": 15, "pg_dump (PostgreSQL) 18beta1": 18, "pg_dump 9": 0, "": 0,
	} {
		if got := parseMajor(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestFindExplains(t *testing.T) {
	_, err := Find(t.Context(), "postgres://h/d", 99)
	if err == nil || !strings.Contains(err.Error(), "install postgresql-client-99") {
		t.Error(err)
	}
}

// A service's file would lead pg_dump elsewhere than the server.
func TestFindRefusesServices(t *testing.T) {
	const named = "name host, user and database in the URL"
	for _, url := range []string{"postgres://h/d?service=other", "host=h service=other"} {
		if _, err := Find(t.Context(), url, 15); err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("%s: %v", url, err)
		}
	}
	t.Setenv("PGSERVICE", "other")
	if _, err := Find(t.Context(), "postgres://h/d", 15); err == nil || !strings.Contains(err.Error(), named) {
		t.Error(err)
	}
	t.Setenv("PGSERVICE", "")
	if _, err := Find(t.Context(), "postgres://h/d", 15); err != nil {
		t.Error(err)
	}
}

func TestNoSecretsInherited(t *testing.T) {
	got := inherited([]string{"PATH=/bin", "DATABASE_URL=postgres://u:secret@h/d", "TRACKERD_SERVER_X=secret", "REPLICA_DATABASE_URL=secret", "PGSSLMODE=require"})
	if strings.Contains(strings.Join(got, " "), "secret") || !slices.Contains(got, "PGSSLMODE=require") || !slices.Contains(got, "PATH=/bin") {
		t.Errorf("%q", got)
	}
}

func TestNewestVersion(t *testing.T) {
	const sql = "SET x;\n\nCOPY public.schema_migration (version, name, applied_at) FROM stdin;\n1\tinitial\t2024\n12\tother\t2024\n\\.\n\n99\tnot inside\n"
	if got := newestVersion([]byte(sql)); got != 12 {
		t.Errorf("version %d, want 12", got)
	}
}

// What belongs to the database as a whole is not restored.
func TestNotOurs(t *testing.T) {
	for line, want := range map[string]bool{
		"5; 2615 2200 SCHEMA - public pg_database_owner":            true,
		"3376; 0 0 COMMENT - SCHEMA public pg_database_owner":       true,
		"2; 3079 16390 EXTENSION - pg_stat_statements ":             true,
		"215; 1259 16421 TABLE public schema_migration trackerd":    false,
		"3370; 0 16421 TABLE DATA public schema_migration trackerd": false,
		"217; 1259 16421 TABLE public SCHEMA trackerd":              false,
		"3371; 0 0 COMMENT public TABLE event trackerd":             false,
		";     Format: CUSTOM":                                      false,
	} {
		if got := notOurs.MatchString(line); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
