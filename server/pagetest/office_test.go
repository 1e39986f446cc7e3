package pagetest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
	"activity-tracker.example/server/sample"
)

// office is a server with an organisation that is made up.
type office struct {
	*servertest.Bench
	people []sample.Person
	// admin is the login of who may do everything, and is the first person.
	admin []string
	user  users.User
	// person is the first one's id.
	person string
	// hosts are credentials by host.
	hosts map[string]string
	token string
}

// newOffice starts one in which that many people were there for some days and are now.
func newOffice(tb testing.TB, people []sample.Person, days int) *office {
	tb.Helper()
	return newOfficeIn(tb, time.UTC, people, days)
}

// newOfficeIn starts one whose days are those of a zone.
func newOfficeIn(tb testing.TB, zone *time.Location, people []sample.Person, days int) *office {
	tb.Helper()
	o := &office{Bench: servertest.New(tb, servertest.NewDatabase(tb)), people: people, hosts: map[string]string{}}
	o.token = o.Token(directory.RoleAdmin)
	now := time.Now().In(zone)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	for i := range people {
		p := &people[i]
		if o.hosts[p.Host] == "" {
			o.hosts[p.Host] = o.Host(p.Host)
		}
		for back := days; back > 0; back-- {
			midnight := today.AddDate(0, 0, -back)
			o.send(p, p.Day(midnight, midnight.AddDate(0, 0, 1), 5*time.Minute, false))
		}
		o.send(p, p.Day(today, now, time.Minute, true))
	}
	for team, accounts := range sample.Teams(people) {
		o.Group(team, accounts...)
	}
	if len(o.hosts) > 0 {
		o.put(http.MethodPut, "/api/host-groups/"+hostGroup, api.HostGroupMembers{Hosts: slices.Sorted(maps.Keys(o.hosts))})
	}
	o.user = o.User("olga", directory.RoleAdmin)
	if len(people) > 0 {
		o.person = o.personOf(people[0].MachineID)
		o.put(http.MethodPut, "/api/users/"+o.user.ID+"/person", api.UserPerson{Person: o.person})
	}
	o.admin = o.Login("olga")
	return o
}

// send has a person's host report.
func (o *office) send(p *sample.Person, list []api.Event) {
	o.T.Helper()
	const batch = 500
	for len(list) > 0 {
		n := min(batch, len(list))
		o.Send(o.hosts[p.Host], list[:n]...)
		list = list[n:]
	}
}

// put changes something by the API.
func (o *office) put(method, path string, body any, headers ...string) {
	o.T.Helper()
	if r := o.Do(method, path, o.token, body, headers...); r.Status >= http.StatusBadRequest {
		o.T.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
	}
}

// personOf is the id of whose account that is.
func (o *office) personOf(account string) string {
	o.T.Helper()
	var list api.PersonList
	o.Do(http.MethodGet, "/api/people?machine_id="+account, o.token, nil).Wants(http.StatusOK, &list)
	return list.People[0].ID
}

// hostile are names that break pages which trust them.
func hostile() []string {
	return []string{
		`<img src=x onerror=alert(1)>"'&lt;`,
		"\u202egnol si eman siht\u202c \u2066half",
		"Z" + strings.Repeat("\u0310\u0489\u035c", 30) + "algo",
		strings.Repeat("x", 200),
		"{{.Secret}} ${7*7} %s %!d(MISSING)",
		"مُحَمَّد 田中 👩‍👩‍👧‍👦",
		"מִשְׁפָּחָה (אבג) 12",
	}
}

// newHostileOffice starts one in which whatever has a name has a bad one.
func newHostileOffice(tb testing.TB) *office {
	tb.Helper()
	people := sample.People(14, "")
	o := newOffice(tb, people, 5)
	names := hostile()
	title := strings.Repeat("<script>alert(1)</script>\u202e", 146)
	for i, name := range names {
		p := &people[i]
		// Some are refused where they come in; what a host reports is cleaned, not refused.
		o.Do(http.MethodPatch, "/api/people/"+o.personOf(p.MachineID), o.token, api.PersonPatch{Label: &name})
		if r := o.Do(http.MethodPut, "/api/groups/"+url.PathEscape(name), o.token, nil); r.Status < http.StatusBadRequest {
			o.put(http.MethodPut, "/api/groups/"+url.PathEscape(name)+"/machines/"+url.PathEscape(p.MachineID), nil)
		}
		e := servertest.Minute(p.MachineID, 0)
		e.Timestamp = time.Now().UTC().Truncate(time.Minute).Add(-24*time.Hour + time.Duration(i)*time.Minute)
		e.ActiveApp, e.ActiveWindow, e.Username = name, title, name
		e.Focus = []api.Focus{{App: name, Title: e.ActiveWindow, Seconds: 60}}
		e.SyntheticCount, e.RepeatCount = new(int64(40)), new(int64(12))
		o.Send(o.hosts[p.Host], e)
	}
	o.put(http.MethodPut, "/api/categories", api.CategoryList{Categories: []api.Category{
		{Name: names[0], Colour: "#0b5cad", Rating: api.RatingProductive, Patterns: []api.Pattern{{App: "Visual*"}, {Title: names[0]}}},
		{Name: "Correspondence", Colour: "#a1307f", Rating: api.RatingNeutral, Patterns: []api.Pattern{{App: "Thunderbird"}}},
	}}, "If-Match", `"0"`)
	o.manyAccounts(&people[0])
	o.writeNames(names)
	return o
}

// writeNames has notes, host groups, tokens and a notice be called what they may not break.
func (o *office) writeNames(names []string) {
	o.T.Helper()
	own := append([]string{"Origin", o.URL}, o.OpenSelf(o.hosts[o.people[0].Host], o.people[0].MachineID)...)
	start := time.Now().UTC().Truncate(time.Minute).Add(-24 * time.Hour)
	taken := map[string]int{} // some are refused where they come in
	try := func(method, path, bearer string, body any, headers ...string) {
		o.T.Helper()
		if r := o.Do(method, path, bearer, body, headers...); r.Status < http.StatusBadRequest {
			taken[strings.Split(path, "/")[2]]++
		}
	}
	for i, name := range names {
		from := start.Add(time.Duration(i) * time.Minute)
		try(http.MethodPost, "/api/me/notes", "", api.NoteDraft{MachineID: o.people[0].MachineID, Start: from, End: from.Add(time.Minute), Text: name}, own...)
		if len(name) <= api.MaxGroupBytes {
			try(http.MethodPut, "/api/host-groups/"+url.PathEscape(name), o.token, api.HostGroupMembers{Hosts: []string{o.people[0].Host}})
		}
		try(http.MethodPost, "/api/tokens", o.token, api.TokenDraft{Name: name, Role: "viewer"})
		try(http.MethodPost, "/api/enrollments", o.token, api.EnrollmentDraft{ForHost: name})
	}
	if taken["me"] == 0 || taken["host-groups"] == 0 || taken["tokens"] == 0 {
		o.T.Errorf("hardly any name was taken: %v", taken)
	}
	o.put(http.MethodPut, "/api/policies", map[string]any{"policy": map[string]any{
		"notice":      map[string]any{"en": names[0] + names[len(names)-1], "ru": names[len(names)-1]},
		"title_rules": []any{map[string]any{"app": names[0], "action": "drop"}},
	}}, "If-Match", "*")
}

// manyAccounts has somebody have sixty.
func (o *office) manyAccounts(p *sample.Person) {
	o.T.Helper()
	var list []api.Event
	var join api.PersonJoin
	for i := range 59 {
		e := servertest.Minute(fmt.Sprintf("%s-other-%d", p.Host, i), 0)
		e.Timestamp = time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
		list, join.MachineIDs = append(list, e), append(join.MachineIDs, e.MachineID)
	}
	o.send(p, list)
	o.put(http.MethodPost, "/api/people/"+o.person+"/accounts", join)
}
