package httpapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/closing"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/months"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/users"
)

// walk is a server with two groups of a machine each, and a user of each role; a
// manager and a viewer are of the group "own".
type walk struct {
	*servertest.Bench
	users map[string]users.User
	// opened are logins that open m-own, each for as long as nobody logs out.
	opened [][]string
	// host is a host's credential, passing how many accounts it had that are to be erased.
	host    string
	passing int
	// months is how many were closed.
	months int
	// shots are pictures of m-own and m-foreign.
	shots map[string]string
	// noted is how many notes there were.
	noted int
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	w := &walk{Bench: servertest.New(t, servertest.NewDatabase(t)), users: map[string]users.User{}}
	if _, err := w.Store.Policies.Add(t.Context(), policies.Draft{Author: "test"}, nil); err != nil {
		t.Fatal(err)
	}
	host := w.Host("h")
	w.Host("h-foreign")
	w.host = w.Host("h-passing")
	w.Send(host, servertest.Minute("m-own", 0), servertest.Minute("m-foreign", 0))
	w.shots = map[string]string{
		"own": w.Shoot(host, "m-own", time.Now()), "foreign": w.Shoot(host, "m-foreign", time.Now()), "unknown": strings.Repeat("0", 32),
	}
	w.Do(http.MethodPost, "/api/receipts", host, api.Receipt{MachineID: "m-own", Notice: strings.Repeat("0", 16), ReadAt: time.Now()}).Wants(http.StatusNoContent, nil)
	for _, name := range append([]string{"another"}, rolesOf(users.Roles())...) {
		w.users[name] = w.User(name, directory.RoleViewer)
	}
	w.users[self] = users.User{ID: "usr_0000000000000000"} // is none
	for range 4 {
		w.opened = append(w.opened, w.OpenSelf(host, "m-own"))
	}
	w.tie()
	w.erased()
	return w
}

// closedMonth is the month of all records, closed for both groups.
const closedMonth = "2024-01"

// self is the role of a login that a link has made.
const self = string(directory.RoleSelf)

// shot makes another picture of one's own screen, or another's, whoever has the account by
// now, and returns its id.
func (w *walk) shot(whose string) (id string) {
	w.T.Helper()
	err := w.Store.DB.Write(w.T.Context(), "adding a picture", func(tx pgx.Tx) error {
		return tx.QueryRow(w.T.Context(), `INSERT INTO screenshot (id, machine, taken_at, received_at, kind, width, height, bytes, digest)
			SELECT gen_random_uuid(), machine, (SELECT min(taken_at) FROM screenshot) - interval '1 second', received_at, kind, width, height, bytes,
				sha256(gen_random_uuid()::text::bytea) FROM screenshot WHERE id = $1::uuid RETURNING replace(id::text, '-', '')`, w.shots[whose]).Scan(&id)
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return id
}

// note makes another note of one's own, or another's, and returns its id; answered, where
// its answer is to be taken away.
func (w *walk) note(whose string, answered bool) string {
	w.T.Helper()
	m, err := w.Store.MachineByID(w.T.Context(), directory.Scope{}, "m-"+whose)
	if err != nil {
		w.T.Fatal(err)
	}
	person, _ := report.ParsePersonID(w.person(m.MachineID))
	w.noted++
	end := time.Now().Add(-2 * time.Hour * time.Duration(w.noted))
	n, _, err := w.Store.Notes.Add(w.T.Context(), &notes.Draft{
		Scope: directory.OfMachines([]int32{m.Key}), Person: int64(person), Start: end.Add(-time.Hour), End: end, Text: "meeting",
	})
	if err != nil {
		w.T.Fatal(err)
	}
	if id, _ := notes.ParseID(n.ID); answered {
		err = w.Store.Notes.Answer(w.T.Context(), &notes.Reply{Person: int64(person), Note: id, Text: "thanks", By: "user x"})
	}
	if err != nil {
		w.T.Fatal(err)
	}
	return n.ID
}

func rolesOf(roles []directory.Role) []string {
	var names []string
	for _, r := range roles {
		names = append(names, string(r))
	}
	return names
}

// tie makes every user the person of m-own.
func (w *walk) tie() {
	w.T.Helper()
	id, _ := report.ParsePersonID(w.person("m-own"))
	for _, u := range w.users {
		if err := w.Store.Self.TiePerson(w.T.Context(), u.ID, int64(id)); err != nil && !errors.Is(err, users.ErrNone) {
			w.T.Fatal(err)
		}
	}
}

// restore undoes what a request has changed.
func (w *walk) restore() {
	w.T.Helper()
	w.Group("own", "m-own")
	w.Group("foreign", "m-foreign")
	for _, name := range []string{"own", "foreign"} {
		if err := w.Store.Policies.SetHostGroup(w.T.Context(), policies.HostGroupChange{Name: name}); err != nil {
			w.T.Fatal(err)
		}
	}
	for _, group := range []string{"own", "foreign"} {
		d, err := closing.ParseDraft(closedMonth, group, "UTC")
		if err != nil {
			w.T.Fatal(err)
		}
		if _, err := w.Store.Months.Close(w.T.Context(), directory.Scope{}, d.Of, d.Calendar); err != nil && !errors.Is(err, months.ErrClosed) {
			w.T.Fatal(err)
		}
	}
	for _, role := range users.Roles() {
		access := users.Access{Role: role, Limited: users.Limitable(role)}
		if access.Limited {
			access.Groups = []string{"own"}
		}
		if _, err := w.Store.Users.SetAccess(w.T.Context(), w.users[string(role)].ID, access, nil); err != nil {
			w.T.Fatal(err)
		}
	}
}

// login logs a user in and returns the login's id and the header of it.
func (w *walk) login(name string) (id string, header []string) {
	w.T.Helper()
	if name == self {
		return "ses_0000000000000000", append(w.opened[0], "If-Match", "*")
	}
	k, err := w.Store.Users.Known(w.T.Context(), name)
	if err != nil {
		w.T.Fatal(err)
	}
	fresh := secret.New(secret.KindLogin)
	if _, err := w.Store.Users.Begin(w.T.Context(), k, users.Fresh{ID: fresh.ID, Hash: fresh.Hash()}); err != nil {
		w.T.Fatal(err)
	}
	return fresh.ID, []string{"Cookie", auth.Cookie + "=" + fresh.Reveal(), "If-Match", "*"}
}

// another makes a person, to be erased, and returns their id.
func (w *walk) another() string {
	w.T.Helper()
	w.passing++
	id := fmt.Sprintf("m-passing-%d", w.passing)
	w.Send(w.host, servertest.Minute(id, 0))
	return w.person(id)
}

// erased erases such a person.
func (w *walk) erased() {
	w.T.Helper()
	w.Do(http.MethodDelete, "/api/people/"+w.another(), w.Token(directory.RoleAdmin), nil).Wants(http.StatusAccepted, nil)
}

// person returns the id of the person who has an account.
func (w *walk) person(machineID string) string {
	w.T.Helper()
	list, err := w.Store.People.List(w.T.Context(), people.Filter{MachineID: machineID, Limit: 1})
	if err != nil || len(list) != 1 {
		w.T.Fatal(list, err)
	}
	return report.PersonID(list[0].ID).String()
}

// target returns an operation's path and body about one's own, another's or nobody's.
func (w *walk) target(o servertest.Operation, whose, role, session string) (path string, body any) {
	w.T.Helper()
	group := map[string]string{"own": "own", "foreign": "foreign", "unknown": "nowhere"}[whose]
	if o.ID == "deleteGroup" && whose != "unknown" {
		group = "passing"
		w.Group(group)
	}
	user := map[string]string{"own": w.users[role].ID, "foreign": w.users["another"].ID, "unknown": "usr_0000000000000000"}[whose]
	switch whose {
	case "foreign":
		session, _ = w.login("another")
	case "unknown":
		session = "ses_0000000000000000"
	}
	person := map[string]string{"own": w.person("m-own"), "foreign": w.person("m-foreign"), "unknown": "p999"}[whose]
	if o.ID == "erasePerson" && whose != "unknown" {
		person = w.another()
	}
	_, query, _ := strings.Cut(o.Target, "?")
	shot := w.shots[whose]
	if (o.ID == "deleteScreenshot" || o.ID == "deleteMyScreenshot") && whose != "unknown" {
		shot = w.shot(whose)
	}
	note := strings.Repeat("0", 32)
	if strings.Contains(o.Path, "{note}") && whose != "unknown" {
		note = w.note(whose, o.ID == "removeNoteAnswer")
	}
	version := map[string]string{"own": "1", "foreign": "1", "unknown": "1000000"}[whose]
	month := closedMonth
	if strings.HasPrefix(o.Path, "/api/months/") {
		group = strings.ReplaceAll(group, "nowhere", "nobodys") // which nobody makes
		query += "&group=" + group
	}
	if o.ID == "closeMonth" {
		_, query, _ = strings.Cut(o.Target, "?")
		w.months++ // another each time
		month = servertest.At("2023-12-01T00:00:00Z").AddDate(0, -w.months, 0).Format("2006-01")
	}
	path = strings.NewReplacer("{month}", month, "{screenshot}", shot, "{note}", note, "{version}", version, "{erasure}", version, "{host_group}", group, "{machine_id}", "m-"+group, "{group}", group, "{user}", user, "{session}", session, "{person}", person).Replace(o.Path) + "?" + query
	body = o.Body
	switch o.ID {
	case "renameGroup":
		body = map[string]string{"name": group}
	case "closeMonth":
		body = api.MonthDraft{Group: group, TZ: "UTC"}
	case "joinAccounts":
		body = api.PersonJoin{MachineIDs: []string{"m-" + group}}
	case "tieUser":
		body = api.UserPerson{Person: w.person("m-own")}
	case "changePassword":
		body = api.PasswordChange{Password: servertest.Password, NewPassword: servertest.Password}
	}
	if strings.HasSuffix(o.Path, "/machines") && o.Method == http.MethodPut {
		body = api.GroupMembers{Machines: []string{"m-" + group}}
	}
	switch o.ID {
	case "moveMachines":
		body = api.MachineMove{MachineIDs: []string{"m-own"}}
	case "importPeople":
		body = api.PeopleImport{Preview: true, Accounts: []api.AccountOwner{{MachineID: "m-own", Person: "Somebody"}}}
	case "createToken", "createEnrollment", "listTokens", "listEnrollments", "listHosts":
		return o.Target, o.Body
	}
	return w.named(path, whose), body
}

// named puts a host, and tokens that are there or not, into a path.
func (w *walk) named(path, whose string) string {
	w.T.Helper()
	host := map[string]string{"own": "h", "foreign": "h-foreign", "unknown": "nowhere"}[whose]
	token, enrollment := "tok_0000000000000000", "enr_0000000000000000"
	if whose != "unknown" && strings.Contains(path, "{token}") {
		token, _ = freshToken(w.Bench)
	}
	if whose != "unknown" && strings.Contains(path, "{enrollment}") {
		enrollment, _, _ = strings.Cut(w.Enrollment(1, time.Hour, ""), ".")
	}
	return strings.NewReplacer("{host_id}", host, "{token}", token, "{enrollment}", enrollment).Replace(path)
}

// Every route is tried with every role, on what is one's own, another's and nobody's:
// who may not is refused whatever it is about, and to who may, another's looks like
// nobody's.
func TestEveryRouteWithEveryRole(t *testing.T) {
	w := newWalk(t)
	tried, changed := map[int]int{}, true
	for _, o := range w.Described.Operations {
		if len(o.Roles) == 0 {
			continue
		}
		for _, role := range append(rolesOf(users.Roles()), self) {
			for _, whose := range []string{"own", "foreign", "unknown"} {
				if changed {
					w.restore()
				}
				session, headers := w.login(role)
				path, body := w.target(o, whose, role, session)
				r := w.Do(o.Method, path, "", body, headers...)
				got, want := r.Status, expectedOf(o, role, whose)
				changed = o.Method != http.MethodGet && got < http.StatusBadRequest
				if o.ID == "confirmSecondStep" && want == 0 && got != http.StatusConflict {
					// Who may gets the error about the code, which is only the description's.
					r.Refused(http.StatusUnauthorized, api.CodeBadCode)
					continue
				}
				tried[want]++
				switch {
				case o.ID == "tieUser", o.ID == "untieUser":
					w.tie()
				case o.ID == "logout" && role == self:
					w.opened = w.opened[1:]
				}
				if want == 0 && (got == 401 || got == 403 || got == 404 || got >= 500) || want != 0 && got != want {
					t.Errorf("%s of a %s, %s: %d, want %d (0: let in)", o.ID, role, whose, got, want)
				}
			}
		}
	}
	t.Log(tried)
	if tried[0] < 100 || tried[403] < 100 || tried[404] < 50 {
		t.Errorf("tried only %v", tried)
	}
}

// expectedOf is the refusal of a role; 0 where it is let in.
func expectedOf(o servertest.Operation, role, whose string) int {
	overseen := (o.ID == "listAccess" || o.ID == "listPersonAccess") && role == string(directory.RoleAuditor)
	// Below /api/me what is another's is nobody's, whoever asks.
	everywhere := (role == string(directory.RoleAdmin) || overseen) && whose == "foreign" && !strings.HasPrefix(o.Path, "/api/me/")
	switch {
	case !slices.Contains(o.Roles, role):
		return http.StatusForbidden
	case whose == "own", everywhere, !strings.Contains(o.Path, "{"):
		return 0
	case o.ID == "putGroup", o.ID == "putHostGroup", o.ID == "previewHostGroup":
		return 0 // makes it
	case (strings.Contains(o.Path, "{version}") || strings.Contains(o.Path, "{erasure}")) && whose == "foreign":
		return 0 // all of policy and all certificates are for who may read them
	}
	return http.StatusNotFound
}

// A manager and a viewer who have logged in are answered to the byte as an API token
// is that is limited to the same groups: there is one scope.
func TestLoginsAndTokensSeeTheSame(t *testing.T) {
	w := newWalk(t)
	w.restore()
	limited := w.Limited("own")
	compared := 0
	for _, o := range w.Described.Operations {
		if _, tokens := o.Schemes["apiToken"]; !tokens || o.Method != http.MethodGet || o.ID == "live" || strings.HasPrefix(o.Path, "/api/users") {
			continue
		}
		for _, whose := range []string{"own", "foreign", "unknown"} {
			path, _ := w.target(o, whose, "viewer", "")
			group := strings.NewReplacer("unknown", "nowhere").Replace(whose)
			paths := []string{path}
			for _, filter := range []string{"group=" + group, "machine_id=m-" + group} {
				if name, _, _ := strings.Cut(filter, "="); slices.Contains(o.Query, name) {
					paths = append(paths, path+"&"+filter)
				}
			}
			for _, path := range paths {
				want := w.Do(http.MethodGet, path, limited, nil)
				for _, role := range []string{"viewer", "manager"} {
					_, headers := w.login(role)
					got := w.Do(http.MethodGet, path, "", nil, headers...)
					compared++
					if got.Status != want.Status || string(got.Body) != string(want.Body) {
						t.Errorf("%s: %s reads %d %s, a token %d %s", got.What, role, got.Status, got.Body, want.Status, want.Body)
					}
					if whose == "foreign" && strings.Contains(string(got.Body), "m-foreign") && got.Status == http.StatusOK {
						t.Errorf("%s tells %s of a foreign machine: %s", got.What, role, got.Body)
					}
				}
			}
		}
	}
	if compared < 60 {
		t.Errorf("only %d answers were compared", compared)
	}
}

// A role that is taken away is gone with the next request, and streams follow.
func TestRoleChangesAtOnce(t *testing.T) {
	w := newWalk(t)
	w.restore()
	_, headers := w.login("viewer")
	id := w.users["viewer"].ID
	for _, step := range []struct {
		access users.Access
		status int
		sees   bool
	}{
		{users.Access{Role: directory.RoleViewer, Limited: true, Groups: []string{"own"}}, 404, false},
		{users.Access{Role: directory.RoleViewer}, 200, true},
		{users.Access{Role: directory.RoleAuditor}, 403, false},
		{users.Access{Role: directory.RoleAdmin}, 200, true},
		{users.Access{Role: directory.RoleViewer, Limited: true}, 404, false},
	} {
		if _, err := w.Store.Users.SetAccess(t.Context(), id, step.access, nil); err != nil {
			t.Fatal(err)
		}
		if got := w.Do(http.MethodGet, "/api/machines/m-foreign", "", nil, headers...).Status; got != step.status {
			t.Errorf("%+v: %d", step.access, got)
		}
		if got := w.Do(http.MethodGet, "/api/machines", "", nil, headers...); step.sees != strings.Contains(string(got.Body), "m-foreign") {
			t.Errorf("%+v: %s", step.access, got.Body)
		}
	}
}
