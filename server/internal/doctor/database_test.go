package doctor

import (
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/erasure"
	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/upkeep"
)

// well is a database where all is well.
func well() inspect.Examination {
	return inspect.Examination{
		Schema: db.Schema{Version: 3, Known: 3}, VersionText: "15.13", Version: 150013, Encoding: "UTF8",
		Durability:     map[string]string{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "remote_apply"},
		MaxConnections: 100, Reserved: 3, Used: 10, Pool: 16, Admins: 1, Hosts: 1,
		Partitions: []inspect.PartitionState{{Table: "event"}},
		Compaction: upkeep.CompactionState{Ended: true, Ago: time.Hour},
	}
}

func TestDatabase(t *testing.T) {
	if text := reportText(Database(well())); strings.Count(text, "\n") != strings.Count("\n"+text, "\nok ") {
		t.Errorf("not all is well:\n%s", text)
	}
	tests := []struct {
		change func(*inspect.Examination)
		check  string
		result api.CheckResult
		words  string
	}{
		{func(e *inspect.Examination) { e.Version = 140001 }, "database", api.CheckFailed, "upgrade it to 15"},
		{func(e *inspect.Examination) { e.Schema = db.Schema{Version: 4, Known: 3} }, "schema", api.CheckFailed, "newer trackerd-server"},
		{func(e *inspect.Examination) { e.Schema = db.Schema{Version: 2, Known: 3, Pending: []string{"0003_x"}} }, "schema", api.CheckWarning, "0003_x"},
		{func(e *inspect.Examination) { e.Durability["fsync"] = "off" }, "durability", api.CheckFailed, "fsync=off"},
		{func(e *inspect.Examination) { e.Durability["synchronous_commit"] = "off" }, "durability", api.CheckFailed, "can be lost"},
		{func(e *inspect.Examination) { e.Durability["synchronous_commit"] = "local" }, "durability", api.CheckWarning, "standby"},
		{func(e *inspect.Examination) { e.Encoding = "SQL_ASCII" }, "encoding", api.CheckFailed, "ENCODING 'UTF8'"},
		{func(e *inspect.Examination) { e.MaxConnections = 15 }, "connections", api.CheckFailed, "max_connections"},
		{func(e *inspect.Examination) { e.Used = 90 }, "connections", api.CheckWarning, "max_connections"},
		{func(e *inspect.Examination) { e.Used, e.Pooled = 90, true }, "connections", api.CheckOK, ""},
		{func(e *inspect.Examination) { e.Pooled = true }, "pooler", api.CheckOK, "session mode"},
		{func(e *inspect.Examination) { e.Skew = -5 * time.Second }, "clock", api.CheckWarning, "5s behind"},
		{func(e *inspect.Examination) { e.Skew = time.Hour }, "clock", api.CheckFailed, "1h0m0s ahead of"},
		{func(e *inspect.Examination) { e.Partitions[0].Missing = 3 }, "partitions", api.CheckWarning, "event lacks 3"},
		{func(e *inspect.Examination) { e.Partitions[0].DefaultRows = 7 }, "partitions", api.CheckWarning, "event 7"},
		{func(e *inspect.Examination) { e.Compaction = upkeep.CompactionState{Off: true} }, "compaction", api.CheckOK, "compact-after-days 0"},
		{func(e *inspect.Examination) { e.Compaction = upkeep.CompactionState{} }, "compaction", api.CheckOK, "no round has ended yet"},
		{func(e *inspect.Examination) { e.Compaction = waiting(false, 0) }, "compaction", api.CheckWarning, "no round has ended yet"},
		{func(e *inspect.Examination) { e.Compaction = waiting(true, 20*time.Minute) }, "compaction", api.CheckOK, "5000 events wait, from 2024-01-15 on"},
		{func(e *inspect.Examination) { e.Compaction = waiting(true, 49*time.Hour) }, "compaction", api.CheckWarning, "ended 2d 1h ago"},
		{func(e *inspect.Examination) {
			e.Unreadable = erasure.Unreadable{Times: 2, Last: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
		}, "records", api.CheckWarning, "2 times, last on 2026-05-04"},
		{func(e *inspect.Examination) { e.Admins = 0 }, "tokens", api.CheckWarning, "token create"},
		{func(e *inspect.Examination) { e.Hosts = 0 }, "tokens", api.CheckWarning, "enrollment create"},
	}
	for _, test := range tests {
		e := well()
		test.change(&e)
		found := false
		for _, c := range Database(e) {
			if c.Name != test.check {
				if c.Result != api.CheckOK {
					t.Errorf("%s: %s %s, too", test.check, c.Result, c.Name)
				}
				continue
			}
			found = true
			if c.Result != test.result || !strings.Contains(c.Detail+c.Advice, test.words) || (c.Advice == "") != (c.Result == api.CheckOK) {
				t.Errorf("%+v, want %s and %q", c, test.result, test.words)
			}
		}
		if !found {
			t.Errorf("no check %s", test.check)
		}
	}
}

// waiting is a compaction with something to do.
func waiting(ended bool, ago time.Duration) upkeep.CompactionState {
	return upkeep.CompactionState{Events: 5000, From: time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC), Ended: ended, Ago: ago}
}
