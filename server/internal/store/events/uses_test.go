package events

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/dictionary"
)

// Each pair is collected once, however far apart its uses are, and found again at its
// place; a title is left out before the time from which titles are kept.
func TestUsesOf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 5, 31, 22, 0, 0, 0, time.UTC)
	name := func(kind string, of int) string {
		if n := r.IntN(of); n > 0 {
			return fmt.Sprint(kind, n)
		}
		return ""
	}
	var rows []row
	for i := range 300 {
		e := &api.Event{Timestamp: start.Add(time.Duration(i) * time.Minute), ActiveApp: name("app", 5), ActiveWindow: name("title", 9)}
		for range r.IntN(6) {
			e.Focus = append(e.Focus, api.Focus{App: name("app", 5), Title: name("title", 9)})
		}
		rows = append(rows, row{micros: e.Timestamp.UnixMicro(), event: e})
	}
	forgotten := start.Add(time.Hour)
	u := usesOf(rows, forgotten.UnixMicro())
	places := u.places
	check := func(e *api.Event, app, title string) {
		want := pair{app: app}
		if title != "" && !e.Timestamp.Before(forgotten) {
			want.title = dictionary.TitleUse{Month: dictionary.MonthOf(e.Timestamp), Name: title}
		}
		if got := u.pairs[places[0]]; got != want {
			t.Fatalf("%v: %+v, want %+v", e.Timestamp, got, want)
		}
		places = places[1:]
	}
	for i := range rows {
		e := rows[i].event
		check(e, e.ActiveApp, e.ActiveWindow)
		for j := range e.Focus {
			check(e, e.Focus[j].App, e.Focus[j].Title)
		}
	}
	once := map[pair]bool{}
	for _, p := range u.pairs {
		once[p] = true
	}
	if len(places) != 0 || len(once) != len(u.pairs) || len(u.days) != 2 || len(u.months) != 2 {
		t.Errorf("%d places left; %d pairs, %d of them different; %d days, %d months", len(places), len(u.pairs), len(once), len(u.days), len(u.months))
	}
}
