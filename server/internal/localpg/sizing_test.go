package localpg

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"testing"
)

func TestSizes(t *testing.T) {
	for _, test := range []struct {
		name         string
		memory, disk int64
		want         []string
	}{
		{"nothing known", 0, 0, []string{"shared_buffers=128MB", "max_wal_size=1024MB", "checkpoint_timeout=15min"}},
		{"a tiny container", 64 * mib, 2 * gib, []string{"shared_buffers=32MB", "max_wal_size=1024MB", "checkpoint_timeout=15min"}},
		{"a small VPS", 512 * mib, 10 * gib, []string{"shared_buffers=128MB", "max_wal_size=1024MB", "checkpoint_timeout=15min"}},
		{"a usual one", 4 * gib, 40 * gib, []string{"shared_buffers=1024MB", "max_wal_size=2048MB", "checkpoint_timeout=15min"}},
		{"a large machine", 256 * gib, 4000 * gib, []string{"shared_buffers=2048MB", "max_wal_size=4096MB", "checkpoint_timeout=15min"}},
	} {
		if got := sizes(test.memory, test.disk); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// One that keeps what it acknowledges has the sizes of this machine.
func TestSizesAreSet(t *testing.T) {
	s, err := Start(t.Context(), Options{StateDir: stateDir(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	memory, err := Memory()
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"pg_size_bytes(current_setting('shared_buffers'))::text": strconv.FormatInt(min(max(memory/4/mib, 32), 2048)*mib, 10),
		"current_setting('wal_compression')":                     "lz4",
		"current_setting('fsync')":                               "on",
	} {
		if got, err := query(t, s.URL(), "SELECT "+setting); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", setting, got, err, want)
		}
	}
	if s.takes(context.WithoutCancel(t.Context()), compression, "none-of-its") {
		t.Error("PostgreSQL is said to take what it does not know")
	}
}
