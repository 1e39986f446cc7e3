package httpapi_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/storetest"
)

// TestRandomEvents has a host report what comes to a hostile mind, also for days that
// are compacted and packed, and holds every answer against a plain model: each event
// is there as it was sent, sums are exact, and applications never have more time than
// the records that they are of.
func TestRandomEvents(t *testing.T) {
	const seed = 1
	database := servertest.NewDatabase(t)
	x := &random{
		writer: writer{rand.New(rand.NewPCG(seed, 9))}, b: servertest.New(t, database), m: model{},
		now: time.Now().UTC().Truncate(time.Minute),
	}
	x.host, x.viewer = x.b.Host("h"), x.b.Token(directory.RoleViewer)
	x.b.Do(http.MethodPut, "/api/categories", x.b.Token(directory.RoleAdmin), randomCategories(), "If-Match", `"0"`).Wants(http.StatusOK, nil)
	keeper := storetest.OpenCompacting(t, database, x.now)
	for _, upkeep := range []func(){
		func() {},
		func() { storetest.Compact(t, keeper) },
		func() { x.pack(t, keeper) },
		func() {},
		func() { storetest.Compact(t, keeper); x.pack(t, keeper) },
	} {
		for range 6 {
			x.report(t, pick(x.writer, 1, 5, 40))
		}
		upkeep()
		storetest.Exact(t, keeper, x.m.count())
	}
	x.compare(t)
	x.report(t, 40)
	storetest.Exact(t, keeper, x.m.count())
	x.compare(t)
}

// randomCategories are some that need titles.
func randomCategories() api.CategoryList {
	category := func(name string, patterns ...api.Pattern) api.Category {
		return api.Category{Name: name, Colour: "#000000", Rating: api.RatingNeutral, Patterns: patterns}
	}
	return api.CategoryList{Categories: []api.Category{
		category("Secret", api.Pattern{App: "f*", Title: "*secret*"}, api.Pattern{Title: "t3"}),
		category("Web", api.Pattern{App: "firefox"}),
		category("Late", api.Pattern{App: "app1*"}, api.Pattern{Title: "work"}),
	}}
}

func randomCategoryOf(use modelUse) string {
	app, title := strings.ToLower(use.app), strings.ToLower(use.title)
	switch {
	case strings.HasPrefix(app, "f") && strings.Contains(title, "secret"), title == "t3":
		return "Secret"
	case app == "firefox":
		return "Web"
	case strings.HasPrefix(app, "app1"), title == "work":
		return "Late"
	}
	return ""
}

// randomDays is how far back events are.
const randomDays = 40

type random struct {
	writer

	b            *servertest.Bench
	m            model
	now          time.Time
	host, viewer string
}

func (x *random) pack(t *testing.T, keeper *storetest.Store) {
	t.Helper()
	if _, err := keeper.PackRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// at returns a time of an event, often one near others.
func (x *random) at() time.Time {
	if x.in(3) {
		return x.now.AddDate(0, 0, -pick(x.writer, 1, 5, 10)).Truncate(time.Hour).Add(time.Duration(x.IntN(60)) * time.Minute)
	}
	back := time.Duration(x.Int64N(int64(randomDays * 24 * time.Hour)))
	at := x.now.Add(-back).Truncate(pick(x.writer, time.Microsecond, time.Minute, time.Minute, time.Hour, 24*time.Hour))
	if x.in(6) {
		return at.Add(-time.Microsecond)
	}
	return at
}

// report sends a batch, of which each event is answered as by the model.
func (x *random) report(t *testing.T, n int) {
	t.Helper()
	var want api.IngestReply
	codes := map[int]api.Code{}
	list := make([]string, n)
	for i := range list {
		machine, at := pick(x.writer, "m0", "m 1", "m%2F", "=m3"), x.at()
		if x.in(12) {
			list[i], codes[i] = x.bad(machine, at)
			continue
		}
		var e api.Event
		if list[i], e = x.event(machine, at); x.m.add(e) {
			want.Accepted++
		} else {
			want.Duplicates++
		}
	}
	var got api.IngestReply
	x.b.Do(http.MethodPost, "/api/events", x.host, []byte(`{"events":[`+strings.Join(list, ",")+`]}`)).Wants(http.StatusOK, &got)
	if got.Accepted != want.Accepted || got.Duplicates != want.Duplicates || len(got.Rejected) != len(codes) {
		t.Fatalf("%+v, want %+v and rejected %v", got, want, codes)
	}
	for _, r := range got.Rejected {
		if codes[r.Index] != r.Code {
			t.Errorf("%.300s: %+v, want %s", list[r.Index], r, codes[r.Index])
		}
	}
}

func (x *random) compare(t *testing.T) {
	t.Helper()
	zone, err := time.LoadLocation(pick(x.writer, "UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"))
	if err != nil {
		t.Fatal(err)
	}
	for machine := range x.m {
		x.compareEvents(t, machine)
		for back := range 11 {
			day := midnight(x.now.In(zone).AddDate(0, 0, -back))
			x.compareDay(t, machine, day, midnight(day.AddDate(0, 0, 1)))
		}
	}
	from := midnight(x.now.In(zone).AddDate(0, 0, -randomDays))
	x.compareApps(t, from, midnight(x.now.In(zone).AddDate(0, 0, -4)))
	x.compareActivity(t, from, midnight(x.now.In(zone)))
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// compareEvents reads a machine's events page by page.
func (x *random) compareEvents(t *testing.T, machine string) {
	t.Helper()
	want := x.m.events(machine)
	cursor := ""
	for {
		var page api.EventList
		x.b.Do(http.MethodGet, "/api/activity/"+url.PathEscape(machine)+"/events?start=0000-01-01T00:00:00%2B23:59&end=9999-12-31T23:59:60Z&limit="+
			strconv.Itoa(pick(x.writer, 7, 100))+"&cursor="+cursor, x.viewer, nil).Wants(http.StatusOK, &page)
		for _, e := range page.Events {
			if len(want) == 0 {
				t.Fatalf("%s: more events than were sent", machine)
			}
			if got, sent := asSent(t, e), asSent(t, want[0]); got != sent {
				t.Errorf("%s:\n got %s\nsent %s", machine, got, sent)
			}
			want = want[1:]
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("%s: %d events are missing", machine, len(want))
	}
}

// asSent writes an event for a comparison, in which -0 is 0.
func asSent(t *testing.T, e api.Event) string {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(":-0,", ":0,", ":-0}", ":0}").Replace(string(text))
}

// alike reports whether seconds are these milliseconds.
func alike(seconds float64, ms int64) bool { return math.Abs(seconds*1000-float64(ms)) < 0.01 }

// compareDay holds a machine's summary and timeline against the model.
func (x *random) compareDay(t *testing.T, machine string, from, to time.Time) {
	t.Helper()
	query := "date=" + from.Format(time.DateOnly) + "&tz=" + from.Location().String()
	s, want := x.b.Summary(x.viewer, machine, query), x.m.sum(machine, from, to)
	if !alike(s.ActiveSeconds, want.active) || !alike(s.IdleSeconds, want.idle) || s.Totals != want.counts.Totals() || s.Estimated {
		t.Errorf("%s %v: %+v, want %+v", machine, from, s, want)
	}
	if micros(s.FirstActivity) != want.first || micros(s.LastActivity) != want.last {
		t.Errorf("%s %v: from %v to %v, want %d and %d", machine, from, s.FirstActivity, s.LastActivity, want.first, want.last)
	}
	apps, sum := want.apps(), modelTime{}
	if len(s.TopApps) != min(20, len(apps)) {
		t.Errorf("%s %v: %d applications of %d", machine, from, len(s.TopApps), len(apps))
	}
	for _, a := range s.TopApps {
		of := apps[a.App]
		if !alike(a.Seconds, of.active) || !alike(a.OpenSeconds, of.focus-of.active) {
			t.Errorf("%s %v: %+v, want %+v", machine, from, a, of)
		}
		sum = sum.plus(modelTime{wholeMillis(a.Seconds + a.OpenSeconds), wholeMillis(a.Seconds)})
	}
	if sum.active > want.active || sum.focus > want.active+want.idle {
		t.Errorf("%s %v: applications have %+v of %+v", machine, from, sum, want)
	}
	var line api.Timeline
	x.b.Do(http.MethodGet, "/api/activity/"+url.PathEscape(machine)+"/timeline?"+query, x.viewer, nil).Wants(http.StatusOK, &line)
	for i, h := range line.Hours {
		end := to
		if i+1 < len(line.Hours) {
			end = line.Hours[i+1].Start
		}
		x.compareHour(t, machine, h, x.m.sum(machine, h.Start, end))
	}
}

func micros(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMicro()
}

func (x *random) compareHour(t *testing.T, machine string, h api.Hour, want modelSum) {
	t.Helper()
	apps, longest := want.apps(), int64(0)
	for _, of := range apps {
		longest = max(longest, of.active)
	}
	if h.InputTotals != want.counts.Totals().InputTotals || h.ActiveMinutes != int64(math.Round(float64(want.active)/60_000)) ||
		apps[h.TopApp].active != longest {
		t.Errorf("%s: %+v, want %+v", machine, h, want)
	}
}

// compareApps holds the report of applications against the model, as JSON and CSV.
func (x *random) compareApps(t *testing.T, from, last time.Time) {
	t.Helper()
	path := "/api/reports/apps?from=" + from.Format(time.DateOnly) + "&to=" + last.Format(time.DateOnly) + "&tz=" + from.Location().String()
	type key struct{ machine, app, category string }
	want, byCategory := map[key]modelTime{}, map[string]modelTime{}
	for machine := range x.m {
		s := x.m.sum(machine, from, midnight(last.AddDate(0, 0, 1)))
		for use, of := range s.uses {
			k := key{machine, use.app, randomCategoryOf(use)}
			want[k] = want[k].plus(of)
			byCategory[k.category] = byCategory[k.category].plus(of)
		}
	}
	var r, categories api.AppsReport
	x.b.Do(http.MethodGet, path, x.viewer, nil).Wants(http.StatusOK, &r)
	x.b.Do(http.MethodGet, path+"&by=category&per=all", x.viewer, nil).Wants(http.StatusOK, &categories)
	compare := func(row api.AppRow, of modelTime) {
		if of.focus == 0 || !alike(row.Seconds, of.active) || !alike(row.OpenSeconds, of.focus-of.active) || row.Estimated {
			t.Errorf("%s: %+v, want %+v", path, row, of)
		}
	}
	for _, row := range r.Rows {
		compare(row, want[key{row.MachineID, row.App, row.Category}])
	}
	for _, row := range categories.Rows {
		compare(row, byCategory[row.Category])
	}
	if len(r.Rows) != len(want) || len(categories.Rows) != len(byCategory) {
		t.Errorf("%d and %d rows, want %d and %d", len(r.Rows), len(categories.Rows), len(want), len(byCategory))
	}
	table := x.b.Do(http.MethodGet, path+"&format=csv", x.viewer, nil).Table()
	seconds, open := slices.Index(table[0], "seconds"), slices.Index(table[0], "open_seconds")
	for i, line := range table[1:] {
		if line[seconds] != strconv.FormatFloat(r.Rows[i].Seconds, 'f', -1, 64) || line[open] != strconv.FormatFloat(r.Rows[i].OpenSeconds, 'f', -1, 64) {
			t.Errorf("%v is not %+v", line, r.Rows[i])
		}
	}
}

// compareActivity holds the report of activity against the model.
func (x *random) compareActivity(t *testing.T, from, last time.Time) {
	t.Helper()
	path := "/api/reports/activity?from=" + from.Format(time.DateOnly) + "&to=" + last.Format(time.DateOnly) + "&tz=" + from.Location().String() +
		"&by=" + pick(x.writer, "day", "week", "month")
	var r api.ActivityReport
	x.b.Do(http.MethodGet, path, x.viewer, nil).Wants(http.StatusOK, &r)
	events := 0
	for _, row := range r.Rows {
		begin, err := time.ParseInLocation(time.DateOnly, row.PeriodStart, from.Location())
		if err != nil {
			t.Fatal(err)
		}
		end, err := time.ParseInLocation(time.DateOnly, row.PeriodEnd, from.Location())
		if err != nil {
			t.Fatal(err)
		}
		want := x.m.sum(row.MachineID, begin, midnight(end.AddDate(0, 0, 1)))
		if row.Events != want.events || row.Totals != want.counts.Totals() || !alike(row.ActiveSeconds, want.active) || !alike(row.IdleSeconds, want.idle) {
			t.Errorf("%s: %+v, want %+v", path, row, want)
		}
		events += int(row.Events)
	}
	if events == 0 || r.NextCursor != "" {
		t.Errorf("%s: %d events, next page %q", path, events, r.NextCursor)
	}
}
