package person

import (
	"net/url"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/lane"
)

const (
	// maxTitles is how many rows a span has, and maxTitleChars how much of a title: one is
	// known by its beginning.
	maxTitles     = 400
	maxTitleChars = 200
	clock         = "15:04"
	midnight      = "24:00"
)

// span is a part of the day that was chosen; its titles are shown.
type span struct {
	From, To time.Time
	Text     string
	Titles   []title
	More     bool
}

// title is what was in front for some time.
type title struct{ Span, App, Title, Length string }

// Chosen reports whether there is one.
func (s *span) Chosen() bool { return !s.From.IsZero() }

// parseSpan reads which part of the day the address chooses: times of the local clock, or
// instants, of which a day has two alike where the clock is put back.
func parseSpan(q url.Values, day report.Day) (s span, err error) {
	if q.Get("from") == "" && q.Get("to") == "" {
		return s, nil
	}
	from, errFrom := moment(q.Get("from"), day)
	to, errTo := moment(q.Get("to"), day)
	if errFrom != nil || errTo != nil || !from.Before(to) || from.Before(day.Start) || to.After(day.End) {
		return s, problem.BadRequest("from, to: want times of the day, such as 14:00 and 15:00")
	}
	s.From, s.To = from, to
	return s, nil
}

func moment(text string, day report.Day) (time.Time, error) {
	if text == midnight {
		return day.End, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.ParseInLocation(time.DateOnly+" "+clock, day.Date+" "+text, day.Zone)
}

// link chooses a part of the day.
func (s *span) link(day report.Day, from, to time.Time) (link string, chosen bool) {
	write := func(t time.Time) string {
		text := t.In(day.Zone).Format(clock)
		if t.Equal(day.End) {
			text = midnight
		}
		if again, err := moment(text, day); err != nil || !again.Equal(t) {
			return t.UTC().Format(time.RFC3339)
		}
		return text
	}
	q := url.Values{"date": {day.Date}, "from": {write(from)}, "to": {write(to)}}
	return "?" + q.Encode() + "#titles", s.From.Equal(from) && s.To.Equal(to)
}

// titles reads what was in front in the span that is chosen. Whose titles are read is written
// down as single records are.
func (p Parts) titles(v *frame.Visit, s subject, _ report.Day, page *view) error {
	chosen := &page.Span
	if !chosen.Chosen() {
		return nil
	}
	chosen.Text = v.At(chosen.From) + "–" + v.At(chosen.To)
	ctx, answer := looked.Begin(v.Context(), p.Access, looked.At{What: api.LookedEvents, From: chosen.From, To: chosen.To})
	q := report.PersonEventsQuestion{Person: s.id, From: query.PersonPlace{At: chosen.From}, End: chosen.To}
	list := rows{open: map[[2]string]int{}}
	for e, err := range p.Reports.EachPersonEvent(ctx, s.scope, q) {
		if err != nil {
			return err
		}
		if chosen.More = len(list.rows) >= maxTitles; chosen.More {
			break
		}
		list.add(&e)
	}
	for i := range list.rows {
		r := &list.rows[i]
		chosen.Titles = append(chosen.Titles, title{v.At(r.from) + "–" + v.At(r.to), r.app, shortened(r.title), v.Words.Length(r.seconds)})
	}
	return answer.Keep(ctx)
}

// rows are what was in front, the first first; what goes on in the next record is one row.
type rows struct {
	rows []row
	open map[[2]string]int
}

type row struct {
	from, to   time.Time
	app, title string
	seconds    float64
}

func (l *rows) add(e *api.Event) {
	end := e.Timestamp.Add(time.Duration(e.Interval()) * time.Second)
	for _, f := range lane.InFront(e) {
		key := [2]string{f.App, f.Title}
		i, found := l.open[key]
		if !found || l.rows[i].to.Before(e.Timestamp) {
			i = len(l.rows)
			l.rows = append(l.rows, row{from: e.Timestamp, app: f.App, title: f.Title})
			l.open[key] = i
		}
		l.rows[i].to, l.rows[i].seconds = end, l.rows[i].seconds+f.Seconds
	}
}

// shortened is the beginning of a long title.
func shortened(title string) string {
	n := 0
	for i := range title {
		if n++; n > maxTitleChars {
			return title[:i] + "…"
		}
	}
	return title
}
