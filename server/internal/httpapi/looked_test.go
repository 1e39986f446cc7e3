package httpapi_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
)

// showNobody are the routes with a caller that show no machine's data, each with the
// reason.
func showNobody() map[string]string {
	const hosts = "what may be measured on which hosts, nothing that was"
	const own, admin, names = "about the caller's own login", "about people who log in, not about those who are measured", "names and numbers of machines, no data of them"
	const gone = "people of whom nothing is left, without who it was"
	const administration = "tokens and hosts, and which machine_ids those have"
	return map[string]string{
		"listMonths": "which months are closed, without anybody's figures", "closeMonth": "as above", "openMonth": "as above",
		"listTokens": administration, "createToken": administration, "deleteToken": administration,
		"listEnrollments": administration, "createEnrollment": administration, "deleteEnrollment": administration,
		"listHosts": administration, "getHost": administration, "labelHost": administration, "revokeHost": administration, "moveMachines": administration,
		"listGroups": names, "getGroup": names, "putGroup": names, "renameGroup": names, "deleteGroup": names,
		"setGroupMachines": names, "addGroupMachine": names, "addGroupPerson": names, "removeGroupPerson": names, "removeGroupMachine": names,
		"listCategories": "names of applications, whoever uses them", "replaceCategories": "as above",
		"getLogin": own, "logout": own, "changePassword": own, "beginSecondStep": own, "confirmSecondStep": own, "endSecondStep": own,
		"listPolicies": hosts, "putPolicy": hosts, "getPolicyVersion": hosts, "listHostGroups": hosts, "putHostGroup": hosts, "deleteHostGroup": hosts,
		"previewHostGroup": "names of accounts that have one user name; see TestNameRuleByAPI, where some have",
		"tieUser":          admin, "untieUser": admin,
		"addMyNote": "what the caller has just written", "deleteMyNote": "which the caller has seen in the list",
		"answerNote": "that there is one, which whoever may has seen in the list", "removeNoteAnswer": "as above",
		"deleteScreenshot":   "that there was one, which whoever may has seen in the list",
		"deleteMyScreenshot": "as above",
		"listChanges":        "what administrators changed, nobody's activity",
		"erasePerson":        "of whom nothing can be read then", "listErasures": gone, "getErasure": gone,
		"listUsers": admin, "inviteUser": admin, "getUser": admin, "patchUser": admin, "putUserAccess": admin, "inviteUserAgain": admin,
		"forgetSecondStep": admin, "listSessions": admin, "endSessions": admin, "endSession": admin,
	}
}

// freshToken makes an administrator's token, which nobody has looked with.
func freshToken(b *servertest.Bench) (id, whole string) {
	b.T.Helper()
	c := secret.New(secret.KindToken)
	if err := b.Store.AddToken(b.T.Context(), directory.Token{ID: c.ID, Name: "fresh", Role: directory.RoleAdmin}, c.Hash()); err != nil {
		b.T.Fatal(err)
	}
	return c.ID, c.Reveal()
}

// lookedAt returns the entries of a reader about a machine.
func lookedAt(b *servertest.Bench, reader, machine string) []access.Entry {
	b.T.Helper()
	m, err := b.Store.MachineByID(b.T.Context(), directory.Scope{}, machine)
	if err != nil {
		b.T.Fatal(err)
	}
	list, err := b.Store.Access.Of(b.T.Context(), []int32{m.Key}, 1<<62, 1000)
	if err != nil {
		b.T.Fatal(err)
	}
	return slices.DeleteFunc(list, func(e access.Entry) bool { return e.Reader.ID != reader })
}

// formatsOf returns in which forms an operation answers.
func formatsOf(o servertest.Operation) []string {
	if _, table := o.Replies["200"].Content["text/csv"]; table {
		return []string{"json", "csv", "xlsx"}
	}
	return []string{""}
}

// askIn asks an operation about the machine m-own in that form.
func (w *walk) askIn(o servertest.Operation, format, token string) servertest.Reply {
	w.T.Helper()
	w.restore()
	session, login := w.login("admin")
	path, body := w.target(o, "own", "admin", session)
	if format != "" {
		path += "&format=" + format
	}
	bearer, headers := o.Credential(token, login)
	return w.Do(o.Method, path, bearer, body, append(headers, "If-Match", "*")...)
}

// Every route with a caller writes down in each of its forms who looks, or stands in the
// list of those that show nobody's data.
func TestEveryRouteWritesWhoLooks(t *testing.T) {
	w := newWalk(t)
	exceptions, wrote := showNobody(), 0
	for _, o := range w.Described.Operations {
		if len(o.Roles) == 0 {
			continue
		}
		_, exception := exceptions[o.ID]
		delete(exceptions, o.ID)
		for _, format := range formatsOf(o) {
			id, token := freshToken(w.Bench)
			if o.Schemes["apiToken"] == nil && strings.HasPrefix(o.Path, "/api/me") {
				id = w.users["admin"].ID // no token has such a route
			}
			before := lookedAt(w.Bench, id, "m-own")
			r := w.askIn(o, format, token)
			found := lookedAt(w.Bench, id, "m-own")
			if exception && slices.EqualFunc(before, found, func(a, b access.Entry) bool { return a.ID == b.ID }) {
				found = nil
			}
			if len(found) > 0 {
				wrote++
			}
			if (len(found) == 0) != exception || !exception && r.Status != http.StatusOK {
				t.Errorf("%s %s: %d, looks %+v, does it show nobody's data? %v", o.ID, format, r.Status, found, exception)
			}
		}
	}
	for id := range exceptions {
		t.Errorf("%s is no operation", id)
	}
	if wrote < 25 {
		t.Errorf("only %d answers were written down", wrote)
	}
}

// unwritten are the routes with a caller that change something and write no change down,
// each with the reason.
func unwritten() map[string]string {
	return map[string]string{
		"previewPolicy":     "nothing is changed; who looks is written down",
		"previewCategories": "as above",
		"previewHostGroup":  "as the previews above",
		"addMyNote":         "one's own words, with which it stands who wrote them",
		"deleteMyNote":      "as above, which nobody has answered",
		"logout":            "logging in and out changes nothing for anybody else",
		"confirmSecondStep": "needs a device; see TestOwnLoginIsWrittenDown",
		"endSecondStep":     "as above; see TestSecondStepEnds",
	}
}

// head returns how many changes are written down.
func (w *walk) head() int64 {
	w.T.Helper()
	h, err := w.Store.Audit.Head(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return h.Seq
}

// changeBy has an operation change something, and returns how many changes were written
// down before.
func (w *walk) changeBy(o servertest.Operation) (before int64, r servertest.Reply) {
	w.T.Helper()
	w.restore()
	session, login := w.login("admin")
	whose, admin := "own", w.Token(directory.RoleAdmin)
	if o.ID == "putGroup" {
		whose = "unknown" // one that is there stays as it is
	}
	path, body := w.target(o, whose, "admin", session)
	person := "/api/people/" + w.person("m-own")
	switch o.ID {
	case "joinAccounts":
		body = api.PersonJoin{MachineIDs: []string{"m-foreign"}}
	case "importPeople":
		body = api.PeopleImport{Accounts: []api.AccountOwner{{MachineID: "m-foreign", Person: w.person("m-own")}}}
	case "partAccount":
		w.Do(http.MethodPost, person+"/accounts", admin, api.PersonJoin{MachineIDs: []string{"m-foreign"}}).Wants(http.StatusOK, nil)
		path = person + "/accounts/m-foreign"
	case "moveMachines":
		path = "/api/hosts/h-foreign/machines"
	case "addGroupMachine":
		path = "/api/groups/foreign/machines/m-own"
	case "setGroupMachines":
		body = api.GroupMembers{Machines: []string{"m-foreign"}}
	case "removeGroupPerson":
		w.Do(http.MethodPut, "/api/groups/own"+strings.TrimPrefix(person, "/api"), admin, nil).Wants(http.StatusNoContent, nil)
	}
	bearer, headers := o.Credential(admin, login)
	before = w.head()
	return before, w.Do(o.Method, path, bearer, body, append(headers, "If-Match", "*")...)
}

// Every route that changes something writes it down, or stands in that list.
func TestEveryChangeIsWrittenDown(t *testing.T) {
	w := newWalk(t)
	exceptions, wrote := unwritten(), 0
	for _, o := range w.Described.Operations {
		if len(o.Roles) == 0 || o.Method == http.MethodGet {
			continue
		}
		_, exception := exceptions[o.ID]
		delete(exceptions, o.ID)
		from, r := w.changeBy(o)
		if moved := w.head() > from; moved == exception || !exception && r.Status >= http.StatusBadRequest {
			t.Errorf("%s: %d, is the change written down? %v, %s", o.ID, r.Status, moved, r.Body)
		} else if moved {
			wrote++
		}
	}
	for id := range exceptions {
		t.Errorf("%s is no operation that changes something", id)
	}
	if wrote < 20 {
		t.Errorf("only %d changes were written down", wrote)
	}
}

// Where it can't be written who looks, no answer shows anybody.
func TestNoAnswerUnlessWritten(t *testing.T) {
	w := newWalk(t)
	w.restore()
	rename := func(from, to string) {
		err := w.Store.DB.Write(context.WithoutCancel(t.Context()), "renaming", func(tx pgx.Tx) error {
			_, err := tx.Exec(context.WithoutCancel(t.Context()), "ALTER TABLE "+from+" RENAME TO "+to)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range w.Described.Operations {
		if o.ID == "addGroupPerson" {
			w.askIn(o, "", w.Token(directory.RoleAdmin)).Wants(http.StatusNoContent, nil)
		}
	}
	rename("access_log", "access_gone")
	defer rename("access_gone", "access_log")
	exceptions, refused := showNobody(), 0
	for _, o := range w.Described.Operations {
		if _, exception := exceptions[o.ID]; exception || len(o.Roles) == 0 || strings.HasSuffix(o.ID, "Access") && strings.HasPrefix(o.ID, "list") {
			continue
		}
		for _, format := range formatsOf(o) {
			r := w.askIn(o, format, w.Token(directory.RoleAdmin))
			r.Refused(http.StatusServiceUnavailable, api.CodeUnavailable)
			if strings.Contains(string(r.Body), "m-own") {
				t.Errorf("%s tells all the same: %s", r.What, r.Body)
			}
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("only %d answers were tried", refused)
	}
}

// Whoever an answer is about is looked at, and nobody else: not who would be on the next
// page, nor those of a sum of five.
func TestWhoIsLookedAt(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	all := []string{"a", "b", "c", "d", "e", "f"}
	var minutes []api.Event
	for _, m := range all {
		minutes = append(minutes, servertest.Minute(m, 0))
	}
	b.Send(b.Host("h"), minutes...)
	b.Group("four", "a", "b", "c", "d")
	b.Group("five", "a", "b", "c", "d", "e")
	limited := b.Limited("four")
	const days = "from=2024-01-15&to=2024-01-15"
	for _, test := range []struct {
		path, token string
		want        string
		machines    int
	}{
		{"/api/machines", "", "a b c d e f", 6},
		{"/api/machines", limited, "a b c d", 4},
		{"/api/machines?limit=1", "", "a", 1},
		{"/api/machines?limit=2&format=csv", "", "a b", 2},
		{"/api/machines?group=five", "", "a b c d e", 5},
		{"/api/groups/four/machines?format=csv", "", "a b c d", 4},
		{"/api/machines/f", "", "f", 1},
		{"/api/machines/f", limited, "", 0},
		{"/api/machines/nobody", "", "", 0},
		{"/api/machines?limit=0", "", "", 0},
		{"/api/activity/c/summary?date=2024-01-15", "", "c", 1},
		{"/api/activity/c/events?start=2000-01-15T00:00:00Z&end=2000-01-16T00:00:00Z&format=csv", "", "c", 1},
		{"/api/reports/activity?" + days + "&limit=2", "", "a b", 2},
		{"/api/reports/activity?" + days + "&machine_id=d", "", "d", 1},
		{"/api/reports/activity?" + days + "&per=all", "", "", 0},
		{"/api/reports/activity?" + days + "&per=all", limited, "a b c d", 4},
		{"/api/reports/activity?" + days + "&per=group", "", "a b c d", 4},
		{"/api/reports/activity?" + days + "&per=group&group=five&format=xlsx", "", "", 0},
		{"/api/reports/apps?" + days + "&limit=2&format=xlsx", "", "a b", 2},
		{"/api/reports/apps?" + days + "&per=group&by=category", "", "a b c d", 4},
		{"/api/reports/apps?" + days + "&per=all", "", "", 0},
		{"/api/reports/activity?" + days + "&per=person&limit=2", "", "a b", 2},
		{"/api/reports/activity?" + days + "&per=person&group=five&format=csv", "", "a b c d e", 5},
		{"/api/reports/activity?" + days + "&person=p6", "", "f", 1},
		{"/api/reports/apps?" + days + "&per=person&format=xlsx", limited, "a b c d", 4},
		{"/api/reports/day?date=2024-01-15&limit=2", "", "a b", 2},
		{"/api/reports/day?date=2024-01-15&format=csv", "", "a b c d e f", 6},
		{"/api/reports/day?date=2024-01-15&person=p3", "", "c", 1},
		{"/api/reports/day?date=2024-01-15&person=p6", limited, "", 0},
		{"/api/reports/rhythm?" + days, "", "", 0},
		{"/api/reports/rhythm?" + days, limited, "a b c d", 4},
		{"/api/reports/rhythm?" + days + "&group=five&format=csv", "", "", 0},
		{"/api/reports/rhythm?" + days + "&group=four&format=csv", "", "a b c d", 4},
		{"/api/reports/rhythm?" + days + "&person=p2", "", "b", 1},
		{"/api/live", "", "a b c d e f", 6},
		{"/api/live", limited, "a b c d", 4},
	} {
		if err := b.Store.DB.Write(t.Context(), "emptying", func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "TRUNCATE access_log CASCADE")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		id, token := freshToken(b)
		if test.token != "" {
			token = test.token
			id, _, _ = strings.Cut(token, ".")
		}
		b.Do(http.MethodGet, test.path, token, nil)
		var got []string
		for _, m := range all {
			for _, e := range lookedAt(b, id, m) {
				if got = append(got, m); e.Machines != test.machines {
					t.Errorf("%s: %+v", test.path, e)
				}
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.path, got, test.want)
		}
	}
}

// A sum is of few where it is of few people: five accounts hide nobody who has two of them.
func TestWhoIsLookedAtInSums(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	all := []string{"a", "b", "c", "d", "e", "f"}
	var minutes []api.Event
	for _, m := range all {
		minutes = append(minutes, servertest.Minute(m, 0))
	}
	b.Send(b.Host("h"), minutes...)
	b.Group("five", "a", "b", "c", "d", "e")
	b.Do(http.MethodPost, "/api/people/p1/accounts", b.Token(directory.RoleAdmin), api.PersonJoin{MachineIDs: []string{"b"}}).Wants(http.StatusOK, nil)
	const days = "from=2024-01-15&to=2024-01-15"
	for _, path := range []string{
		"/api/reports/activity?" + days + "&per=group", "/api/reports/apps?" + days + "&per=group&format=csv", "/api/reports/rhythm?" + days + "&group=five",
	} {
		id, token := freshToken(b)
		b.Do(http.MethodGet, path, token, nil).Wants(http.StatusOK, nil)
		for _, m := range all {
			if looks, want := lookedAt(b, id, m), m != "f"; (len(looks) == 1) != want {
				t.Errorf("%s: looks at %s: %+v", path, m, looks)
			}
		}
	}
	// Six accounts of five people are many.
	for _, path := range []string{"/api/reports/activity?" + days + "&per=all", "/api/reports/apps?" + days + "&per=all", "/api/reports/rhythm?" + days} {
		id, token := freshToken(b)
		b.Do(http.MethodGet, path, token, nil).Wants(http.StatusOK, nil)
		if looks := lookedAt(b, id, "a"); len(looks) != 0 {
			t.Errorf("%s: %+v", path, looks)
		}
	}
}

// A stream writes down who comes later, before it shows them.
func TestStreamsWriteWhoComesLater(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host := b.Host("h")
	b.Send(host, servertest.Minute("first", 0))
	id, token := freshToken(b)
	e := watch(t, b, token)
	for next := e.next(); next && len(e.seen) < 1; next = e.next() {
	}
	b.Send(host, servertest.Minute("second", 0))
	for len(e.seen) < 2 {
		if !e.next() {
			t.Fatal("the stream ended")
		}
	}
	for m := range maps.Keys(e.seen) {
		if got := lookedAt(b, id, m); len(got) != 1 || got[0].What != api.LookedLive || got[0].Machines != 2 {
			t.Errorf("%s: %+v", m, got)
		}
	}
}

// Who looked is shown to auditors, as JSON and as a table, page by page.
func TestListAccess(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.Send(b.Host("h"), servertest.Minute("m", 0), servertest.Minute("n", 0))
	b.User("auditor", directory.RoleAuditor)
	b.User("anna", directory.RoleViewer)
	anna, auditor := b.Login("anna"), b.Login("auditor")
	b.Do(http.MethodGet, "/api/activity/m/summary?date=2024-01-15&tz=Asia/Kolkata", "", nil, anna...).Wants(200, nil)
	b.Do(http.MethodGet, "/api/machines", "", nil, anna...).Wants(200, nil)
	var list api.AccessList
	b.Do(http.MethodGet, "/api/machines/m/access?limit=1", "", nil, auditor...).Wants(200, &list)
	if len(list.Access) != 1 || list.NextCursor == "" {
		t.Fatalf("%+v", list)
	}
	if got := list.Access[0]; got.ReaderKind != "user" || got.ReaderName != "anna" || got.What != "machines" || got.From != nil || got.Machines != 2 {
		t.Errorf("%+v", got)
	}
	var next api.AccessList
	b.Do(http.MethodGet, "/api/machines/m/access?cursor="+list.NextCursor+"&limit=2", "", nil, auditor...).Wants(200, &next)
	if len(next.Access) != 1 || next.NextCursor != "" {
		t.Fatalf("%+v", next)
	}
	got := next.Access[0]
	// A day in Kolkata is from 18:30 to 18:30.
	if got.What != "summary" || got.Machines != 1 || got.From == nil || got.From.Format("2006-01-02T15") != "2024-01-14T18" || got.To.Format("2006-01-02T15") != "2024-01-15T19" {
		t.Errorf("%+v", got)
	}
	table := b.Do(http.MethodGet, "/api/machines/m/access?format=csv", "", nil, auditor...).Table()
	if len(table) != 4 || table[0][0] != "first_at" || !slices.Contains(table[1], "access") || !slices.Contains(table[1], "auditor") {
		t.Errorf("%v", table)
	}
	for _, bad := range []string{"limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=bDA", "cursor=bA"} {
		b.Do(http.MethodGet, "/api/machines/m/access?"+bad, "", nil, auditor...).Refused(http.StatusBadRequest, api.CodeBadRequest)
	}
}

// Who looked at a person is who looked at any account that is theirs now, page by page
// and as a table; asking is a look at all of them.
func TestListPersonAccess(t *testing.T) {
	w := newWalk(t)
	w.User("eye", directory.RoleAuditor)
	auditor := w.Login("eye")
	id, token := freshToken(w.Bench)
	for _, machine := range []string{"m-own", "m-foreign"} {
		w.Do(http.MethodGet, "/api/activity/"+machine+"/summary?date=2024-01-15", token, nil).Wants(http.StatusOK, nil)
	}
	person := "/api/people/" + w.person("m-own")
	admin := w.Token(directory.RoleAdmin)
	seen := func() (n int) {
		t.Helper()
		for _, row := range w.Do(http.MethodGet, person+"/access?format=csv", "", nil, auditor...).Table() {
			if slices.Contains(row, id) {
				n++
			}
		}
		return n
	}
	if n := seen(); n != 1 {
		t.Errorf("%d looks at the one account", n)
	}
	w.Do(http.MethodPost, person+"/accounts", admin, api.PersonJoin{MachineIDs: []string{"m-foreign"}}).Wants(http.StatusOK, nil)
	if n := seen(); n != 2 {
		t.Errorf("%d looks at both accounts", n)
	}
	var first, next api.PersonAccessList
	w.Do(http.MethodGet, person+"/access?limit=1", "", nil, auditor...).Wants(http.StatusOK, &first)
	w.Do(http.MethodGet, person+"/access?limit=1&cursor="+first.NextCursor, "", nil, auditor...).Wants(http.StatusOK, &next)
	if len(first.Access) != 1 || len(next.Access) != 1 || first.Person != w.person("m-own") || first.Access[0].What != api.LookedAccess || first.Access[0].Machines != 2 {
		t.Errorf("%+v, %+v", first, next)
	}
	w.Do(http.MethodDelete, person+"/accounts/m-foreign", admin, nil).Wants(http.StatusOK, nil)
	if n := seen(); n != 1 {
		t.Errorf("%d looks at the account that stayed", n)
	}
	w.Do(http.MethodGet, person+"/access?limit=0", "", nil, auditor...).Refused(http.StatusBadRequest, api.CodeBadRequest)
}

// What users change of their own is written down as theirs, and who enrolled as whoever
// had that token; what is refused is not.
func TestOwnLoginIsWrittenDown(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	anna := b.User("anna", directory.RoleViewer)
	cookie := b.Login("anna")
	from, err := b.Store.Audit.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Do(http.MethodPost, secondStep, "", api.SecondStepRequest{Password: "wrong"}, cookie...).Refused(401, api.CodeBadLogin)
	p := setUp(b, cookie, api.SecondStepRequest{Password: servertest.Password})
	b.Do(http.MethodPut, secondStep, "", api.SecondStepCode{Code: "12345"}, cookie...).Refused(401, api.CodeBadCode)
	b.Do(http.MethodPut, secondStep, "", api.SecondStepCode{Code: p.code()}, cookie...).Wants(200, nil)
	b.Do(http.MethodPut, "/api/login/password", "", api.PasswordChange{Password: "wrong", NewPassword: "correct horse staple"}, cookie...).Refused(401, api.CodeBadLogin)
	b.Do(http.MethodPut, "/api/login/password", "", api.PasswordChange{Password: servertest.Password, NewPassword: "correct horse staple"}, cookie...).Wants(204, nil)
	b.Host("h")
	list, err := b.Store.Audit.List(t.Context(), 1<<62, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		if e.Seq > from.Seq && e.What != "enrollment.created" {
			by := strings.ReplaceAll(e.ActorID, anna.ID, "anna")
			got = append(got, e.What+" "+*e.Subject+" by "+e.ActorKind+" "+by[:min(4, len(by))])
		}
	}
	want := []string{
		"host.enrolled h by enrollment enr_", "user.password_changed anna by user anna", "user.second_step_confirmed anna by user anna", "user.second_step_begun anna by user anna",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is changed by API, by a login or a token, is shown to auditors with who did it.
func TestListChanges(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.Send(b.Host("h"), servertest.Minute("m", 0))
	b.User("auditor", directory.RoleAuditor)
	b.User("root", directory.RoleAdmin)
	root, auditor := b.Login("root"), b.Login("auditor")
	id, token := freshToken(b)
	b.Do(http.MethodPut, "/api/groups/Reception", token, nil).Wants(http.StatusCreated, nil)
	b.Do(http.MethodPut, "/api/groups/Reception", token, nil).Wants(http.StatusOK, nil)
	b.Do(http.MethodPatch, "/api/machines/m", "", map[string]string{"user_label": "Anna"}, root...).Wants(http.StatusOK, nil)
	b.Do(http.MethodPut, "/api/groups/Reception/machines", "", api.GroupMembers{Machines: []string{"m"}}, root...).Wants(http.StatusOK, nil)
	b.Do(http.MethodDelete, "/api/groups/Reception", token, nil).Wants(http.StatusNoContent, nil)
	var list api.ChangeList
	b.Do(http.MethodGet, "/api/audit?limit=4", "", nil, auditor...).Wants(http.StatusOK, &list)
	if list.NextCursor == "" {
		t.Fatalf("%+v", list)
	}
	var got []string
	for _, c := range list.Changes {
		got = append(got, strings.Join([]string{c.What, *c.Subject, c.ActorKind, *c.ActorName, c.Details["label"], c.Details["added"]}, " "))
	}
	want := []string{
		"group.removed Reception token fresh  ", "group.machines_set Reception user root  1",
		"machine.labelled m user root Anna ", "group.created Reception token fresh  ",
	}
	if !slices.Equal(got, want) || list.Changes[0].ActorID != id {
		t.Errorf("%q, want %q", got, want)
	}
	table := b.Do(http.MethodGet, "/api/audit?format=csv&cursor="+list.NextCursor, "", nil, auditor...).Table()
	if len(table) < 5 || table[0][0] != "seq" || !slices.Contains(table[1], "token.created") {
		t.Errorf("%v", table)
	}
	b.Do(http.MethodGet, "/api/audit?limit=0", "", nil, auditor...).Refused(http.StatusBadRequest, api.CodeBadRequest)
	if v, err := b.Store.Audit.Verify(t.Context()); err != nil || v.Wrong != "" {
		t.Error(v, err)
	}
}
