package e2e

import (
	"regexp"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/testmachine"
)

// TestSlowClockSteps moves a machine's clock while somebody works. Whatever it
// shows, each key is counted once, and no two records have one identity: the
// server would drop the second, and its counts with it.
func TestSlowClockSteps(t *testing.T) {
	m := trackedMachine(t, debian.Bookworm)
	s := m.waitTracked(t, testmachine.Alice)
	one := counts{keys: 12, clicks: 2, scroll: 3, distance: 40}
	m.work(t, one)
	all := one
	m.wantTotal(t, s.MachineID, all)
	for _, step := range []struct {
		name string
		by   time.Duration
	}{
		{"an hour forward", time.Hour},
		{"put right", -time.Hour},
		{"half an hour back", -30 * time.Minute},
		{"put right again", 30 * time.Minute},
		{"two intervals forward", 10 * time.Second},
	} {
		must(t, m.StepClock(t.Context(), step.by))
		m.work(t, one)
		all = all.add(one)
		t.Log("the clock is set:", step.name)
		m.wantTotal(t, s.MachineID, all)
	}
	m.wantNoneRefused(t)
}

// wantNoneRefused checks that the server has refused no record for good.
func (m *machine) wantNoneRefused(t *testing.T) {
	t.Helper()
	if out := m.run(t, "trackctl", "status", "--json"); !deadLetters.MatchString(out) {
		t.Errorf("records were refused: %s", out)
	}
}

// deadLetters is what a status has where the server has refused nothing for good.
var deadLetters = regexp.MustCompile(`"dead_letters": *(\{\}|null)`)
