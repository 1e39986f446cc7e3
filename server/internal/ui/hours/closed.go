package hours

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

const (
	// maxChecks is of how many pages of people it is looked whether figures have changed.
	maxChecks   = 20
	digestChars = 12
)

// closed is a month of the year that is shown.
type closed struct {
	Month, Name, Group, Zone string
	When, Who, People        string
	Digest, Full             string
	CSV, XLSX, Check         string
	// Openable means that the visitor may open it again.
	Openable bool
}

// checked is what became of a closed month's figures.
type checked struct {
	Name, Group      string
	Intact           bool
	Changed, Unknown int
	// Partly means that there are more people.
	Partly bool
}

// closings lists the closed months of the year that is shown: those of all people, and of the
// group that is chosen or of all groups that are seen.
func (s *view) closings(v *frame.Visit) error {
	var list api.ClosedMonthList
	year := strconv.Itoa(s.last.Year())
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("months"), Query: url.Values{"year": {year}}, Into: &list}); err != nil {
		return err
	}
	now := v.Now.In(v.Zone)
	for i := range list.Months {
		m := &list.Months[i]
		if s.Group != "" && m.Group != s.Group && m.Group != "" {
			continue
		}
		first, err := time.Parse(isoMonth, m.Month)
		if err != nil {
			continue
		}
		of := url.Values{"group": {m.Group}, "format": {"csv"}}
		c := closed{
			Month: m.Month, Name: v.Words.Month(first.Month(), first.Year()), Group: m.Group, Zone: m.TZ,
			When: v.Words.Moment(m.ClosedAt.In(v.Zone), now), Who: m.ClosedByName, People: v.Words.Number(int(m.People)),
			Digest: m.Digest[:min(digestChars, len(m.Digest))], Full: m.Digest, CSV: "api/months/" + m.Month + "?" + of.Encode(),
			Check: s.link("check", m.Month, "of", m.Group) + "#closed", Openable: mayClose(v, m.Group),
		}
		if c.Who == "" {
			c.Who = v.Words.Or("reader."+m.ClosedByKind, m.ClosedByKind)
		}
		of.Set("format", "xlsx")
		c.XLSX = "api/months/" + m.Month + "?" + of.Encode()
		s.Closed = append(s.Closed, c)
	}
	s.Closable = s.Month != "" && mayClose(v, s.Group) && !s.isClosed(s.Month) && !v.Now.Before(s.periods[len(s.periods)-1].End)
	return s.check(v)
}

// mayClose reports whether a visitor may close months of a group, or of all people.
func mayClose(v *frame.Visit, group string) bool {
	return v.Caller.Role == directory.RoleAdmin || v.Caller.Role == directory.RoleManager && group != ""
}

// isClosed reports whether a month's figures of the people who are shown are frozen.
func (s *view) isClosed(month string) bool {
	for i := range s.Closed {
		if c := &s.Closed[i]; c.Month == month && (c.Group == "" || c.Group == s.Group) {
			return true
		}
	}
	return false
}

// frozen reports whether a period is within closed months.
func (s *view) frozen(p *report.Period) bool {
	return s.isClosed(p.First[:len(isoMonth)]) && s.isClosed(p.Last[:len(isoMonth)])
}

// check looks whether the figures of a closed month are others now, where that is asked for.
func (s *view) check(v *frame.Visit) error {
	month, group := v.Query.Get("check"), v.Query.Get("of")
	if month == "" {
		return nil
	}
	first, err := time.Parse(isoMonth, month)
	if err != nil {
		return problem.BadRequest("check: want a month such as 2026-03")
	}
	c := &checked{Name: v.Words.Month(first.Month(), first.Year()), Group: group, Intact: true}
	ask := url.Values{"group": {group}}
	for range maxChecks {
		var page api.MonthReport
		if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("months", month), Query: ask, Into: &page}); err != nil {
			return err
		}
		c.Intact = c.Intact && page.Intact
		for i := range page.Rows {
			switch changed := page.Rows[i].Changed; {
			case changed == nil:
				c.Unknown++
			case *changed:
				c.Changed++
			}
		}
		if c.Partly = page.NextCursor != ""; !c.Partly {
			break
		}
		ask.Set("cursor", page.NextCursor)
	}
	s.Checked = c
	return nil
}

// act closes a month, or opens one again.
func act(v *frame.Visit) (frame.Done, error) {
	month, group := v.Form.Get("month"), v.Form.Get("group")
	here := url.Values{"span": {spanMonth}, "date": {month + "-01"}}
	if group != "" {
		here.Set("group", group)
	}
	switch v.Form.Get("do") {
	case "close":
		_, err := v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("months", month), Body: api.MonthDraft{Group: group, TZ: v.Form.Get("tz")}})
		return frame.Done{To: frame.Said("hours?"+here.Encode(), "closed")}, err
	case "open":
		of := url.Values{}
		if group != "" {
			of.Set("group", group)
		}
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("months", month), Query: of})
		return frame.Done{To: frame.Said("hours?"+here.Encode(), "opened")}, err
	}
	return frame.Done{}, problem.BadRequest("")
}
