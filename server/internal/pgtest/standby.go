package pgtest

import (
	"path/filepath"
	"testing"
)

// Standby makes a streaming replica of a running cluster and starts it.
func Standby(tb testing.TB, primary *Cluster, settings ...string) *Cluster {
	tb.Helper()
	// It asks again soon where the primary does not answer.
	c := newCluster(tb, append([]string{"wal_retrieve_retry_interval=100ms"}, settings...))
	c.run(filepath.Join(c.bin, "pg_basebackup"), "-D", c.data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-h", primary.dir, "-U", superuser)
	c.Start()
	return c
}
