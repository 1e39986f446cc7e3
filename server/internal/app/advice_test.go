package app

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/store/db"
)

func TestAdvice(t *testing.T) {
	away := errors.Join(db.ErrUnavailable)
	for _, test := range []struct {
		c    config.Config
		err  error
		want string
	}{
		{config.Config{Database: config.Database{URL: "postgres://x@/x?host=/run/postgresql"}, Service: true}, away, "systemctl start postgresql, or name another in DATABASE_URL in /etc/trackerd-server/server.env"},
		{config.Config{Database: config.Database{URL: "postgres://x@[::1]/x"}}, away, "systemctl start postgresql"},
		{config.Config{Database: config.Database{URL: "postgres://x:y@db.example/x"}}, away, "see that the PostgreSQL that DATABASE_URL names"},
		{config.Config{Database: config.Database{URL: "host=/run/postgresql"}}, away, "systemctl start postgresql, or name another in DATABASE_URL"},
		{config.Config{}, away, ""},
		{config.Config{Database: config.Database{URL: "postgres://x@localhost/x"}}, db.OlderSchemaError{}, ""},
		{config.Config{Database: config.Database{URL: "postgres://x@localhost/x"}}, db.ErrNoAccess, ""},
	} {
		if got := advice(test.c, test.err); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s, %v: %q", test.c.Database.URL, test.err, got)
		}
	}
}

// What is advised depends on where a database is, however its URL is written.
func TestOnThisMachine(t *testing.T) {
	for url, want := range map[string]bool{
		"postgres:///tracker":                                true,
		"postgres:///tracker?host=/run/postgresql":           true,
		"host=/run/postgresql dbname=tracker":                true,
		"postgres://u:p@localhost/tracker":                   true,
		"postgres://u:p@127.0.0.1:5433/tracker":              true,
		"postgres://u:p@[::1]/tracker":                       true,
		"host = ::1":                                         true,
		"postgres://u:p@db.example.org/tracker":              false,
		"host=10.1.2.3 dbname=tracker":                       false,
		"postgres://u:p@a.example.org,b.example.org/tracker": false,
	} {
		if got := onThisMachine(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

// What to do about a refusal stands apart from what it was, for the doctor.
func TestExplainNoAccess(t *testing.T) {
	for _, test := range []struct {
		c    config.Config
		want string
	}{
		{config.Config{Database: config.Database{URL: "postgres://x@/x?host=/run/postgresql"}, Service: true}, makeDatabase},
		{config.Config{Database: config.Database{URL: "postgres://x@/x?host=/run/postgresql"}}, "runuser -u NAME"},
		{config.Config{Database: config.Database{URL: "postgres://x@db.example/x"}}, ""},
	} {
		var advised AdvisedError
		err := Explain(test.c, fmt.Errorf("asking: %w", db.ErrNoAccess))
		if !errors.Is(err, db.ErrNoAccess) || errors.As(err, &advised) != (test.want != "") || !strings.Contains(advised.Advice, test.want) {
			t.Errorf("%+v: %v", test.c, err)
		}
	}
}
