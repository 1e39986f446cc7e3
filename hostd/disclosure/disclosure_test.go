package disclosure

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/config"
	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
)

// fieldsOf names a struct's fields as they are on the wire, after prefix.
func fieldsOf[T any](prefix string) []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, prefix+name)
	}
	return names
}

// usual is the configuration of an empty file, with the features given.
func usual(t *testing.T, f config.Features) *config.Config {
	t.Helper()
	cfg, err := config.Load(config.Paths{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Features = f
	return &cfg
}

// pictured are pictures of a kind.
func pictured(kind policy.Kind) policy.EffectiveScreenshots {
	return policy.EffectiveScreenshots{Allow: true, Kind: kind, IntervalSec: policy.DefaultScreenshotSec}
}

// TestEveryFieldIsSpokenOf: a field that is uploaded and that 'trackctl status'
// has no word for fails here. So does one that is listed as recorded although
// the configuration leaves it out.
func TestEveryFieldIsSpokenOf(t *testing.T) {
	sent := slices.Concat(fieldsOf[api.Event](""), fieldsOf[api.Focus]("focus."), fieldsOf[api.NotCollected]("not_collected."), fieldsOf[api.Receipt]("receipt."), fieldsOf[api.EnrollRequest]("host."))
	sent = slices.DeleteFunc(sent, func(name string) bool { return name == "host.enrollment_token" }) // says nothing about anybody
	titles := []string{"active_window", "focus.title"}
	stats := []string{"cpu_percent", "ram_used_percent", "disk_used_percent", "user_cpu_percent", "user_ram_bytes"}
	for name, c := range map[string]struct {
		features config.Features
		without  []string
	}{
		"everything": {config.Features{TrackSystemStats: true, WindowTitles: true}, nil},
		"no titles":  {config.Features{TrackSystemStats: true}, titles},
		"no stats":   {config.Features{WindowTitles: true}, stats},
		"neither":    {config.Features{}, slices.Concat(titles, stats)},
		"pictures":   {config.Features{TrackSystemStats: true, WindowTitles: true, Screenshots: pictured(policy.Blurred)}, nil},
	} {
		want := slices.DeleteFunc(slices.Clone(sent), func(name string) bool { return slices.Contains(c.without, name) })
		if c.features.Screenshots.Allow { // the query of POST /api/screenshots, and its body
			want = append(want, "screenshot.machine_id", "screenshot.taken_at", "screenshot.kind", "screenshot")
		}
		said := make(map[string]int)
		for _, r := range everything(usual(t, c.features)) {
			for _, field := range r.fields {
				said[field]++
				if said[field] > 1 {
					t.Errorf("%s: %s is said twice", name, field)
				}
			}
		}
		for _, field := range want {
			if said[field] == 0 {
				t.Errorf("%s: %s is uploaded, and 'trackctl status' does not say so", name, field)
			}
			delete(said, field)
		}
		if len(said) > 0 {
			t.Errorf("%s: %v is said to be recorded and is not", name, slices.Sorted(maps.Keys(said)))
		}
	}
}

// TestMeasuredFollowsTheConfiguration: what is listed is what is configured.
func TestMeasuredFollowsTheConfiguration(t *testing.T) {
	cfg := usual(t, config.Features{})
	cfg.IdleAfter, cfg.SendInterval, cfg.CollectInterval = 90*time.Second, time.Minute, 30*time.Second
	m := Of(cfg, false)
	counted, handling := strings.Join(m.Counted, "\n"), strings.Join(m.Handling, "\n")
	for _, want := range []string{"within the last 90 seconds", "of 30 seconds each"} {
		if !strings.Contains(counted, want) {
			t.Errorf("counted lacks %q:\n%s", want, counted)
		}
	}
	if !strings.Contains(handling, "at intervals of 1 minute") {
		t.Errorf("handling: %s", handling)
	}
	if strings.Contains(counted, "title") || strings.Contains(counted, "memory") || !slices.Contains(m.Never, "titles of windows") {
		t.Errorf("counted:\n%s\nnever: %q", counted, m.Never)
	}
}

// TestReadersAreToldTheSame: README.md shows what trackctl prints, and the usual
// days are those of the server's package.
func TestReadersAreToldTheSame(t *testing.T) {
	readme := strings.Join(strings.Fields(read(t, "../../README.md")), " ")
	features := config.Features{TrackSystemStats: true, WindowTitles: true}
	m := Of(usual(t, features), false)
	lines := slices.Concat(m.Counted, m.Never, m.Handling)
	features.Screenshots = pictured(policy.Blurred)
	m = Of(usual(t, features), false)
	for _, line := range slices.Concat(lines, m.Counted, m.Never, m.Handling) {
		if !strings.Contains(readme, "- "+line) {
			t.Errorf("README.md lacks: - %s", line)
		}
	}
	env := read(t, "../../packaging/trackerd-server/server.env")
	for name, days := range map[string]int{"EVENTS": usualEventsDays, "TITLES": usualEventsDays, "ROLLUPS": usualSumsDays} {
		if want := fmt.Sprintf("#TRACKERD_SERVER_KEEP_%s_DAYS=%d\n", name, days); !strings.Contains(env, want) {
			t.Errorf("server.env lacks %s", want)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestBothLanguagesSayTheSame: for each thing that is said in one language there is one in
// the other, with the same numbers.
func TestBothLanguagesSayTheSame(t *testing.T) {
	numbers := regexp.MustCompile("[0-9]+")
	for _, f := range []config.Features{{}, {TrackSystemStats: true}, {WindowTitles: true}, {TrackSystemStats: true, WindowTitles: true}, {Screenshots: pictured(policy.Blurred)}, {Screenshots: pictured(policy.Readable)}} {
		for _, user := range []bool{false, true} {
			cfg := usual(t, f)
			cfg.IdleAfter, cfg.SendInterval, cfg.CollectInterval = 90*time.Second, 7*time.Minute, 30*time.Second
			en, ru := Of(cfg, user), InRussian(cfg, user)
			for _, part := range [][2][]string{{en.Counted, ru.Counted}, {en.Never, ru.Never}, {en.Handling, ru.Handling}} {
				if len(part[0]) != len(part[1]) {
					t.Fatalf("%d and %d things: %q", len(part[0]), len(part[1]), part)
				}
				for i, line := range part[0] {
					if got, want := numbers.FindAllString(part[1][i], -1), numbers.FindAllString(line, -1); !slices.Equal(got, want) || part[1][i] == "" {
						t.Errorf("%q and %q", line, part[1][i])
					}
				}
			}
		}
	}
}
