// Package disclosure describes to people what is recorded about them, what never is,
// and what happens with it: as it is configured, in words for whoever it is about.
package disclosure

import (
	"fmt"
	"time"

	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/text"
)

// For how many days the server keeps what it got, unless it is set otherwise
// there: the defaults of TRACKERD_SERVER_KEEP_EVENTS_DAYS (titles likewise) and
// TRACKERD_SERVER_KEEP_ROLLUPS_DAYS. This host cannot know the setting.
const (
	usualEventsDays = 400
	usualSumsDays   = 1100
)

// recorded is one thing that is recorded about a person.
type recorded struct {
	// words describe it to them.
	words string
	// fields are what it speaks of, as they are named on the wire: fields of
	// api.Event, of its focus ("focus.…"), of what was not collected
	// ("not_collected.…") and of the enrolment ("host.…"). A test holds that each
	// field is spoken of.
	fields []string
}

// everything lists all that leaves the host about a person.
func everything(cfg *config.Config) []recorded {
	window := recorded{
		"which application has the focus, and for how long",
		[]string{"active_app", "focus", "focus.app", "focus.seconds", "focus.active_seconds"},
	}
	if cfg.Features.WindowTitles {
		window.words = "which application has the focus, its window's title, and for how long"
		window.fields = append(window.fields, "active_window", "focus.title")
	}
	list := []recorded{
		{
			"how many keys you press (never which), how often keys that you hold repeat, how often you click, how far you scroll and move the pointer",
			[]string{"key_count", "repeat_count", "mouse_clicks", "scroll_count", "mouse_distance_px", "distance_unit"},
		},
		{"how many presses, clicks and scroll steps come from programs instead of hands", []string{"synthetic_count"}},
		window,
		{
			fmt.Sprintf("whether you are active (input by hand within the last %s) or idle, for how long you are active, whether you are connected, and whether your screen is locked",
				duration(cfg.IdleAfter)),
			[]string{"is_idle", "active_seconds", "connected", "locked"},
		},
		{
			"your user name, this host's name and identifier, and the kind of your session (such as rdp)",
			[]string{"username", "machine_id", "session_kind", "host.hostname", "host.host_id", "host.kind"},
		},
		{
			fmt.Sprintf("all this in records of %s each, with date and time", duration(cfg.CollectInterval)),
			[]string{"timestamp", "interval_sec", "collected_seconds"},
		},
		{
			"when by rule nothing of you was recorded: outside work hours, or because you paused it ('trackctl pause')",
			[]string{"not_collected.start", "not_collected.end", "not_collected.reason", "not_collected.machine_id"},
		},
	}
	if cfg.Features.TrackSystemStats {
		list = append(list,
			recorded{"how much processor time and memory your programs use", []string{"user_cpu_percent", "user_ram_bytes"}},
			recorded{
				"how much of the host's processor, memory and disk is in use, by everybody together",
				[]string{"cpu_percent", "ram_used_percent", "disk_used_percent"},
			},
		)
	}
	return list
}

// Of returns what a person is shown under a configuration; user is set when they run
// the daemon themselves.
func Of(cfg *config.Config, user bool) control.Measured {
	reader := "on this host, where only root can read it"
	if user {
		reader = "in a folder of your own, where only you and root can read it"
	}
	m := control.Measured{
		Never: []string{
			"what you type: no key is known to this program beyond the moment of counting it",
			"pictures of your screen, sound or camera",
			"the contents of windows, files, mail or the clipboard",
		},
		Handling: []string{
			fmt.Sprintf("it waits %s, and is uploaded to the server at intervals of %s", reader, duration(cfg.SendInterval)),
			"whoever has been given access to the server can read it, also live, as it is uploaded",
			fmt.Sprintf("how long it is kept is set on the server; usual are %d days for records and window titles, and %d days for sums made of them",
				usualEventsDays, usualSumsDays),
		},
	}
	for _, r := range everything(cfg) {
		m.Counted = append(m.Counted, r.words)
	}
	if !cfg.Features.WindowTitles {
		m.Never = append(m.Never, "titles of windows")
	}
	return m
}

// duration writes "5 minutes", or "90 seconds" where that is exact.
func duration(d time.Duration) string {
	if d%time.Minute == 0 {
		return text.Count(int64(d/time.Minute), "minute")
	}
	return text.Count(int64(d/time.Second), "second")
}
