package upkeep

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// Whatever a round of maintenance did is in the log, and nothing is where it did
// nothing.
func TestMaintenanceIsLogged(t *testing.T) {
	for name, test := range map[string]struct {
		done Maintained
		err  error
		want []string
	}{
		"nothing":    {},
		"packed":     {done: Maintained{Packed: 96}, want: []string{`level=INFO msg="roll-ups packed" rollups=96`}},
		"partitions": {done: Maintained{Partitions: []string{"event_20240115"}}, want: []string{`partitions=[event_20240115] rows=0`}},
		"rows":       {done: Maintained{Rows: 7}, want: []string{`partitions=[] rows=7`}},
		"all, then a failure": {
			done: Maintained{Packed: 1, Rows: 2, Partitions: []string{"a", "b"}}, err: errors.New("the disk is full"),
			want: []string{`msg="old data dropped" partitions="[a b]" rows=2`, `rollups=1`, `level=ERROR msg="maintenance of the database failed; trying again in an hour" error="the disk is full"`},
		},
	} {
		var log bytes.Buffer
		s := &Upkeep{log: slog.New(slog.NewTextHandler(&log, nil))}
		s.noteMaintained(test.done, test.err)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if log.Len() == 0 {
			lines = nil
		}
		if len(lines) != len(test.want) {
			t.Errorf("%s: %q", name, lines)
			continue
		}
		for i, want := range test.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: %s, want %s", name, lines[i], want)
			}
		}
	}
}
