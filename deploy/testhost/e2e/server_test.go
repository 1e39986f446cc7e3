package e2e

import (
	"context"
	"net/url"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/internal/e2etest"
)

// server is a trackerd-server with its database: on this machine, or installed
// on a host.
type server struct {
	*e2etest.Server
	// tlsAddr is where it speaks TLS too, with a certificate of this authority.
	tlsAddr, authority string
	// host is where it is installed; nil is this machine.
	host *host
}

// newServer starts a server with the private PostgreSQL that it brings.
func newServer(t *testing.T) *server {
	t.Helper()
	return &server{Server: e2etest.NewServer(t, serverPath)}
}

// newServerOn starts a server on the database that args name.
func newServerOn(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return &server{Server: e2etest.NewServerOn(t, serverPath, dir, args...)}
}

// command runs another subcommand on the server's database.
func (s *server) command(t *testing.T, args ...string) string {
	t.Helper()
	if s.host != nil {
		return s.host.run(t, append([]string{"trackerd-server"}, args...)...)
	}
	return s.Command(t, args...)
}

// summaries adds up the days from since to now.
func (s *server) summaries(ctx context.Context, machine string, since time.Time) (api.Summary, error) {
	var sum api.Summary
	last := time.Now().UTC().Format(time.DateOnly)
	for day := since.UTC(); day.Format(time.DateOnly) <= last; day = day.AddDate(0, 0, 1) {
		var one api.Summary
		path := "/api/activity/" + url.PathEscape(machine) + "/summary?date=" + day.Format(time.DateOnly)
		if err := s.Get(ctx, path, &one); err != nil {
			return sum, err
		}
		sum.KeyCount += one.KeyCount
		sum.MouseClicks += one.MouseClicks
		sum.ScrollCount += one.ScrollCount
		sum.MouseDistancePx += one.MouseDistancePx
		sum.SyntheticCount += one.SyntheticCount
		sum.RepeatCount += one.RepeatCount
		sum.ActiveSeconds, sum.IdleSeconds = sum.ActiveSeconds+one.ActiveSeconds, sum.IdleSeconds+one.IdleSeconds
		sum.TopApps = append(sum.TopApps, one.TopApps...)
	}
	return sum, nil
}
