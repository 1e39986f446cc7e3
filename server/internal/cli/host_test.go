package cli

import (
	"testing"
	"time"

	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

func TestSilentHosts(t *testing.T) {
	now := servertest.At("2026-03-02T12:00:00Z")
	seen := now.Add(-time.Hour)
	all := []directory.HostState{
		{HostID: "fresh", EnrolledAt: now.Add(time.Second)},
		{HostID: "never", EnrolledAt: now.Add(-48 * time.Hour)},
		{HostID: "recent", EnrolledAt: now.Add(-48 * time.Hour), LastSeen: &seen},
	}
	for atLeast, want := range map[time.Duration]string{0: "fresh never recent ", time.Hour: "never recent ", 2 * time.Hour: "never ", 72 * time.Hour: ""} {
		got := ""
		for _, h := range silentHosts(all, now, atLeast) {
			got += h.HostID + " "
		}
		if got != want {
			t.Errorf("silent for %v: %q, want %q", atLeast, got, want)
		}
	}
	row := hostRow(silentHosts(all, now, 0)[2])
	if row[6] != "2026-03-02T11:00:00Z" || row[7] != "1h" || row[8] != "?" || row[9] != "?" || row[10] != "enrolled" {
		t.Errorf("%q", row)
	}
	for offset, want := range map[int64]string{0: "ok", 1: "ok", -1: "ok", 2: "+2 s", -61: "-61 s"} {
		all[2].AgentVersion, all[2].ClockOffset = "1.2", &offset
		if row := hostRow(silentHosts(all, now, 0)[2]); row[8] != "1.2" || row[9] != want {
			t.Errorf("%d s: %q", offset, row)
		}
	}
}
