package apps

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/ui/frame"
)

const (
	// maxPeople is how many people who used an application are listed, maxSearched how many
	// are looked through for them.
	maxPeople   = 200
	maxSearched = 1000
)

// user is somebody who used an application, as their names go: there is no order of merit.
type user struct{ Name, Length, Open, Link string }

// users lists who used the application that is chosen. All who are asked for are looked
// through for that, and that is written down.
func (p Parts) users(v *frame.Visit, s *view, ask report.AppsQuestion) error {
	s.App = v.Query.Get("app")
	if s.App == "" || s.Person != "" {
		return nil
	}
	var err error
	if ask.Subject, err = report.ParseSubject(string(report.PerPerson), "", "", s.Group, "", ""); err != nil {
		return err
	}
	people, err := p.people(v, s.Group)
	if err != nil {
		return err
	}
	of := map[string]*user{}
	times := map[string][2]float64{}
	searched, last := 0, ""
	for row, err := range p.Reports.EachApp(v.Context(), v.Caller.Scope, ask) {
		if err != nil {
			return err
		}
		if row.Person != last {
			searched, last = searched+1, row.Person
		}
		if s.MorePeople = searched > maxSearched; s.MorePeople {
			break
		}
		if row.App != s.App || row.Seconds+row.OpenSeconds == 0 {
			continue
		}
		if of[row.Person] == nil {
			if len(of) >= maxPeople {
				s.MorePeople = true
				break
			}
			q := url.Values{"person": {row.Person}, "from": {s.From}, "to": {s.To}}
			of[row.Person] = &user{Name: cmp.Or(people[row.Person], row.PersonLabel, row.Person), Link: "apps?" + q.Encode()}
		}
		t := times[row.Person]
		times[row.Person] = [2]float64{t[0] + row.Seconds, t[1] + row.OpenSeconds}
	}
	for id, u := range of {
		u.Length, u.Open = v.Words.Length(times[id][0]), open(v, times[id][1])
		s.Users = append(s.Users, *u)
	}
	slices.SortFunc(s.Users, func(a, b user) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return nil
}

// people returns what people are called. Whose application is read is noted by that reading.
func (p Parts) people(v *frame.Visit, group string) (map[string]string, error) {
	ctx, _ := access.Collect(v.Context())
	names := map[string]string{}
	ask := report.PeopleQuestion{}
	if group != "" {
		name, err := report.ParseGroupName(group)
		if err != nil {
			return nil, err
		}
		ask.Group = name
	}
	for person, err := range p.Reports.EachPerson(ctx, v.Caller.Scope, ask) {
		if err != nil {
			return nil, err
		}
		if len(names) >= maxSearched {
			break
		}
		names[person.ID] = report.NameOf(&person)
	}
	return names, nil
}
