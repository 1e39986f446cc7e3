package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
)

// partlyVisible is a walk with a person of the accounts m-seen, in the group own, and
// m-hidden, in no group.
type partlyVisible struct {
	*walk
	person string
	// pictures are one of each account.
	pictures map[string]string
	// note is one of the hidden account.
	note string
	self []string
}

func newPartlyVisible(t *testing.T) *partlyVisible {
	t.Helper()
	p := &partlyVisible{walk: newWalk(t), pictures: map[string]string{}}
	host := p.Host("h-partly")
	seen, hidden := servertest.Minute("m-seen", 0), servertest.Minute("m-hidden", 0)
	seen.ActiveApp, hidden.ActiveApp = "editor", "m-hidden's"
	p.Send(host, seen, hidden)
	p.person = p.walk.person("m-seen")
	p.Do(http.MethodPost, "/api/people/"+p.person+"/accounts", p.Token(directory.RoleAdmin), api.PersonJoin{MachineIDs: []string{"m-hidden"}}).Wants(http.StatusOK, nil)
	for _, id := range []string{"m-seen", "m-hidden"} {
		p.pictures[id] = p.Shoot(host, id, time.Now())
	}
	var note api.Note
	p.Do(http.MethodPost, "/api/me/notes", "", hiddenNote(), p.OpenSelf(host, "m-hidden")...).Wants(http.StatusCreated, &note)
	p.note = note.ID
	p.self = p.OpenSelf(host, "m-seen")
	p.walk.restore()
	p.Group("own", "m-own", "m-seen")
	return p
}

// ask asks an operation about the person, in that form.
func (p *partlyVisible) ask(o servertest.Operation, format string, headers []string) servertest.Reply {
	p.T.Helper()
	_, query, _ := strings.Cut(o.Target, "?")
	path := strings.NewReplacer("{person}", p.person, "{machine_id}", "m-hidden", "{group}", "foreign", "{screenshot}", p.pictures["m-hidden"], "{note}", p.note).Replace(o.Path) + "?" + query
	if slices.Contains(o.Query, "person") {
		path += "&per=person&person=" + p.person
		if !slices.Contains(o.Query, "per") {
			path = strings.Replace(path, "&per=person", "", 1)
		}
	}
	if format != "" {
		path += "&format=" + format
	}
	body := o.Body
	switch o.ID {
	case "addMyNote":
		body = hiddenNote()
	case "joinAccounts":
		body = api.PersonJoin{MachineIDs: []string{"m-own"}}
	case "labelPerson":
		body = api.PersonPatch{Label: ptr("named by part")}
	}
	return p.Do(o.Method, path, "", body, append(slices.Clone(headers), "If-Match", "*")...)
}

// hiddenNote is one of the account that a caller who sees a part may not see.
func hiddenNote() api.NoteDraft {
	now := time.Now().UTC().Truncate(time.Minute)
	return api.NoteDraft{MachineID: "m-hidden", Start: now.Add(-time.Hour), End: now, Text: "a meeting"}
}

// showNoFigures are the routes about a person that are not partial, each with the reason.
func showNoFigures() map[string]string {
	return map[string]string{
		"listScreenshots": "each picture names its account", "listMyScreenshots": "as above",
		"listNotes": "each note names its account", "listMyNotes": "as above",
		"listMyAccess": "each row is about the accounts that are seen", "exportMe": "the archive says so itself",
	}
}

// Of a person of whom a caller sees one account of two, every route shows that one alone and
// says that it is not all; nobody changes what is of the whole person; and to who sees all of
// them, and to nobody else, it is whole.
func TestEveryRouteOfPartlyVisiblePeople(t *testing.T) {
	p := newPartlyVisible(t)
	figures, refused := 0, 0
	for _, o := range p.Described.Operations {
		me := strings.HasPrefix(o.Path, "/api/me")
		if len(o.Roles) == 0 || !strings.Contains(o.Path, "{person}") && !slices.Contains(o.Query, "person") && !me {
			continue
		}
		callers := map[string][]string{"self": p.self}
		for _, role := range users.Roles() {
			if _, header := p.login(string(role)); !me && (o.Method == http.MethodGet || role != directory.RoleAdmin) {
				callers[string(role)] = header
			}
		}
		for role, headers := range callers {
			switch r := p.ask(o, "", headers); {
			case !slices.Contains(o.Roles, role):
				if refused++; r.Status != http.StatusForbidden {
					t.Errorf("%s of a %s: %d %s", o.ID, role, r.Status, r.Body)
				}
			case strings.Contains(o.Path, "{screenshot}"), role != string(directory.RoleAdmin) && strings.Contains(o.Path, "{note}"), o.ID == "addMyNote":
				r.Refused(http.StatusNotFound, api.CodeNotFound)
			case role == string(directory.RoleAdmin), role == string(directory.RoleAuditor): // see all
				if text := string(r.Body); r.Status != http.StatusOK || strings.Contains(text, `"partial":true`) {
					t.Errorf("%s of an %s: %d %s", o.ID, role, r.Status, text)
				}
			case o.Method != http.MethodGet:
				refused++
				r.Refused(http.StatusForbidden, api.CodeForbidden)
			default:
				figures += p.seesPart(o, role, headers)
			}
		}
	}
	if figures < 20 || refused < 20 {
		t.Errorf("tried only %d answers and %d refusals", figures, refused)
	}
	for _, path := range []string{"/api/people", "/api/people?machine_id=m-hidden", "/api/groups/own/people"} {
		_, headers := p.login("viewer")
		if r := p.Do(http.MethodGet, path, "", nil, headers...); strings.Contains(string(r.Body), "m-hidden") || strings.Contains(path, "?") && strings.Contains(string(r.Body), p.person) {
			t.Errorf("%s: %s", path, r.Body)
		}
	}
}

// seesPart checks an operation's answer in each of its forms, and returns in how many it is
// partial.
func (p *partlyVisible) seesPart(o servertest.Operation, role string, headers []string) (partial int) {
	p.T.Helper()
	for _, format := range formatsOf(o) {
		if format == "xlsx" {
			continue // what CSV has, packed
		}
		r := p.ask(o, format, headers)
		text := string(r.Body)
		if r.Status != http.StatusOK || strings.Contains(text, "m-hidden") || strings.Contains(text, p.pictures["m-hidden"]) {
			p.T.Errorf("%s of a %s as %q: %d %s", o.ID, role, format, r.Status, text)
		}
		if _, none := showNoFigures()[o.ID]; none || format == "csv" {
			continue
		}
		if partial++; !strings.Contains(text, `"partial":true`) {
			p.T.Errorf("%s of a %s does not say that it is partial: %s", o.ID, role, text)
		}
	}
	return partial
}
