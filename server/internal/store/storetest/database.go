package storetest

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/testdb"
)

// Main runs a package's tests beside a PostgreSQL of their own, and returns the exit
// code; TestMain calls it.
func Main(m *testing.M) int {
	flag.Parse()
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		// Fuzz targets need no database, and each of their workers runs this.
		return m.Run()
	}
	return testdb.Run(func(string) (int, error) { return m.Run(), nil })
}

// NewDatabase makes a migrated database and returns its URL.
func NewDatabase(tb testing.TB) string {
	tb.Helper()
	return testdb.New(tb)
}

// Connect makes a connection that ends with the test.
func Connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

// AddHost enrols a host and returns its row.
func AddHost(tb testing.TB, s *Store) int64 {
	tb.Helper()
	e := directory.Enrollment{ID: "enr", Kind: api.EnrollHost, UsesLeft: 1, ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.AddEnrollment(tb.Context(), e, []byte{1}); err != nil {
		tb.Fatal(err)
	}
	err := s.Enroll(tb.Context(), directory.EnrollRequest{
		Kind:    api.EnrollHost,
		TokenID: "enr", TokenMatches: func([]byte) bool { return true }, HostID: "h", CredentialID: "cred", CredentialHash: []byte{1},
	})
	if err != nil {
		tb.Fatal(err)
	}
	h, _, err := s.HostByCredential(tb.Context(), "cred")
	if err != nil {
		tb.Fatal(err)
	}
	return h.Key
}
